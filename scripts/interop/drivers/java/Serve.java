import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.common.protocol.Errors;

/** The half of a driver that knows no library: it reads requests, calls operations, writes answers. scripts/lib/client.py says what is on the wire. */
class Serve {
    interface Operation {
        Object call(JsonNode request) throws Exception;
    }

    static final ObjectMapper JSON = new ObjectMapper();

    /** Serves requests until stdin ends. */
    static void main(Map<String, Operation> operations, List<String> abilities) throws Exception {
        // What others print must not come between the answers.
        PrintStream out = System.out;
        System.setOut(System.err);
        List<String> names = new ArrayList<>(abilities);
        names.addAll(operations.keySet());
        out.println(JSON.writeValueAsString(names));
        out.flush();
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            JsonNode request = JSON.readTree(line);
            Map<String, Object> answer = new LinkedHashMap<>();
            try {
                answer.put("ok", operations.get(request.get("op").asText()).call(request));
            } catch (Throwable thrown) {
                Throwable error = thrown instanceof ExecutionException ? thrown.getCause() : thrown;
                StringWriter trace = new StringWriter();
                error.printStackTrace(new PrintWriter(trace));
                short code = Errors.forException(error).code();
                Map<String, Object> told = new LinkedHashMap<>();
                told.put("code", code == Errors.UNKNOWN_SERVER_ERROR.code() ? null : code);
                told.put("message", trace.toString());
                answer.put("error", told);
            }
            out.println(JSON.writeValueAsString(answer));
            out.flush();
        }
        System.exit(0);
    }
}
