import org.apache.kafka.common.message.ApiMessageType;

/** ApiVersions. */
final class HandshakeCases implements Answers.Cases {
    private static final ApiMessageType API = ApiMessageType.API_VERSIONS;

    @Override
    public void run(Suite suite) throws Exception {
        for (int version = 0; version <= 4; version++) {
            suite.same("what is served", API, version, peer -> body("answers", "1.0"));
            // Names of other shapes are INVALID_REQUEST where the version has them.
            for (String name : new String[] {"", "-a", "a-", "a b", "a/b", "ä", "a.b-c"}) {
                suite.same("client named '" + name + "'", API, version, peer -> body(name, "1.0"));
                suite.same("client of version '" + name + "'", API, version, peer -> body("answers", name));
            }
        }
        for (int version : new int[] {5, 6, 99, 32767, -1}) {
            suite.compare("an unknown version, then version 0", API, version, peer ->
                peer.askFrame(API, version, peer.frame(API.apiKey(), version, (short) (version < 0 ? 1 : 2), new byte[] {1, 2, 3})));
            suite.same("after an unknown version", API, 0, peer -> body("answers", "1.0"));
        }
    }

    private static String body(String name, String version) {
        return "{\"clientSoftwareName\":\"%s\",\"clientSoftwareVersion\":\"%s\"}".formatted(name, version);
    }
}
