import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;

/** What classes of cases have in common: each of their static methods without arguments is a case, which throws if it fails. */
class Case {
    /** Serves the cases of a class as operations. */
    static void serve(Class<?> cases) throws Exception {
        Map<String, Serve.Operation> operations = new LinkedHashMap<>();
        for (Method method : cases.getDeclaredMethods()) {
            if (method.getParameterCount() > 0 || method.isSynthetic()) continue;
            operations.put(method.getName(), r -> {
                try {
                    return method.invoke(null);
                } catch (InvocationTargetException error) {
                    throw (Exception) (error.getCause() instanceof Exception e ? e : new Exception(error.getCause()));
                }
            });
        }
        Serve.main(operations, List.of());
    }

    static void equal(Object got, Object expected, String what) {
        if (!Objects.equals(got, expected)) throw new AssertionError(what + ": expected " + expected + ", got " + got);
    }

    static void isTrue(boolean so, String what) {
        if (!so) throw new AssertionError(what);
    }

    static void until(Callable<Boolean> so, String what) throws Exception {
        for (long end = System.currentTimeMillis() + 60_000; !so.call(); Thread.sleep(20)) isTrue(System.currentTimeMillis() < end, "not so after 60 s: " + what);
    }
}
