//! Keys of TLS, SASL and tokens.

use super::*;

keys! { pub(crate) SECURITY:
    "delegation.token.expiry.check.interval.ms", Long = "3600000", AtLeast(1), Low, ReadOnly, Public, Later;
        "How often expired delegation tokens are looked for."
    "delegation.token.expiry.time.ms", Long = "86400000", AtLeast(1), Medium, ReadOnly, Public, Later;
        "How long a delegation token is good before it must be renewed."
    "delegation.token.max.lifetime.ms", Long = "604800000", AtLeast(1), Medium, ReadOnly, Public, Later;
        "How long a delegation token can be renewed at most."
    "delegation.token.secret.key", Password = null, Any, Medium, ReadOnly, Public, NotBuilt;
        "The secret that signs delegation tokens, the same on every node."
    "sasl.client.callback.handler.class", Class = null, Any, Medium, ReadOnly, Public, Later;
        "The class of the client's SASL callbacks."
    "sasl.enabled.mechanisms", List = "GSSAPI", ENTRIES, Medium, PerBroker, Public, Later;
        "The SASL mechanisms that a listener offers."
    "sasl.jaas.config", Password = null, Any, Medium, PerBroker, Public, Later;
        "The JAAS login context of a SASL connection."
    "sasl.kerberos.kinit.cmd", String = "/usr/bin/kinit", Any, Medium, PerBroker, Public, Later;
        "The path of kinit."
    "sasl.kerberos.min.time.before.relogin", Long = "60000", Any, Medium, PerBroker, Public, Later;
        "The least time between two Kerberos logins, in milliseconds."
    "sasl.kerberos.principal.to.local.rules", List = "DEFAULT", ENTRIES, Medium, PerBroker, Public, Later;
        "How Kerberos principals are turned into short names."
    "sasl.kerberos.service.name", String = null, Any, Medium, PerBroker, Public, Later;
        "The Kerberos principal under which Kafka runs."
    "sasl.kerberos.ticket.renew.jitter", Double = "0.05", Any, Medium, PerBroker, Public, Later;
        "The share of random time in a Kerberos renewal."
    "sasl.kerberos.ticket.renew.window.factor", Double = "0.8", Any, Medium, PerBroker, Public, Later;
        "The share of a ticket's life after which it is renewed."
    "sasl.login.callback.handler.class", Class = null, Any, Medium, ReadOnly, Public, Later;
        "The class of the login's SASL callbacks."
    "sasl.login.class", Class = null, Any, Medium, ReadOnly, Public, Later;
        "The class that logs in."
    "sasl.login.connect.timeout.ms", Int = null, Any, Low, ReadOnly, Public, Later;
        "How long to wait for a connection to the authentication provider."
    "sasl.login.read.timeout.ms", Int = null, Any, Low, ReadOnly, Public, Later;
        "How long to wait for the authentication provider's answer."
    "sasl.login.refresh.buffer.seconds", Short = "300", Any, Medium, PerBroker, Public, Later;
        "How long before its end a credential is renewed at the latest."
    "sasl.login.refresh.min.period.seconds", Short = "60", Any, Medium, PerBroker, Public, Later;
        "The least time before a credential is renewed."
    "sasl.login.refresh.window.factor", Double = "0.8", Any, Medium, PerBroker, Public, Later;
        "The share of a credential's life after which it is renewed."
    "sasl.login.refresh.window.jitter", Double = "0.05", Any, Medium, PerBroker, Public, Later;
        "The share of random time in a credential's renewal."
    "sasl.login.retry.backoff.max.ms", Long = "10000", Any, Low, ReadOnly, Public, Later;
        "The most that the wait between two logins grows to."
    "sasl.login.retry.backoff.ms", Long = "100", Any, Low, ReadOnly, Public, Later;
        "How long to wait before a login is tried again."
    "sasl.mechanism.controller.protocol", String = "GSSAPI", Any, High, ReadOnly, Public, Later;
        "The SASL mechanism towards the controllers."
    "sasl.mechanism.inter.broker.protocol", String = "GSSAPI", Any, Medium, PerBroker, Public, Later;
        "The SASL mechanism between brokers."
    "sasl.oauthbearer.assertion.algorithm", String = "RS256", OneOfAnyCase(&["ES256", "RS256"]), Medium, ReadOnly, Public, Later;
        "The algorithm that signs an OAuth assertion."
    "sasl.oauthbearer.assertion.claim.aud", String = null, Any, Medium, ReadOnly, Public, Later;
        "The audience that an OAuth assertion names."
    "sasl.oauthbearer.assertion.claim.exp.seconds", Int = "300", Between(0, 86_400), Low, ReadOnly, Public, Later;
        "How long an OAuth assertion is good."
    "sasl.oauthbearer.assertion.claim.iss", String = null, Any, Medium, ReadOnly, Public, Later;
        "The issuer that an OAuth assertion names."
    "sasl.oauthbearer.assertion.claim.jti.include", Boolean = "false", Any, Medium, ReadOnly, Public, Later;
        "Whether an OAuth assertion carries an id of its own."
    "sasl.oauthbearer.assertion.claim.nbf.seconds", Int = "60", Between(0, 3_600), Low, ReadOnly, Public, Later;
        "How long before now an OAuth assertion is good already."
    "sasl.oauthbearer.assertion.claim.sub", String = null, Any, Medium, ReadOnly, Public, Later;
        "The subject that an OAuth assertion names."
    "sasl.oauthbearer.assertion.file", String = null, Any, Medium, ReadOnly, Public, Later;
        "A file that holds a ready OAuth assertion."
    "sasl.oauthbearer.assertion.private.key.file", String = null, Any, Medium, ReadOnly, Public, Later;
        "The file of the key that signs an OAuth assertion."
    "sasl.oauthbearer.assertion.private.key.passphrase", Password = null, Any, Medium, ReadOnly, Public, Later;
        "The passphrase of the key that signs an OAuth assertion."
    "sasl.oauthbearer.assertion.template.file", String = null, Any, Medium, ReadOnly, Public, Later;
        "A file with the header and claims of an OAuth assertion."
    "sasl.oauthbearer.client.credentials.client.id", String = null, Any, Medium, ReadOnly, Public, Later;
        "The client id for OAuth client credentials."
    "sasl.oauthbearer.client.credentials.client.secret", Password = null, Any, Medium, ReadOnly, Public, Later;
        "The client secret for OAuth client credentials."
    "sasl.oauthbearer.clock.skew.seconds", Int = "30", Any, Low, ReadOnly, Public, Later;
        "By how much the OAuth provider's clock may differ."
    "sasl.oauthbearer.expected.audience", List = "", ENTRIES, High, ReadOnly, Public, Later;
        "The audiences of which an OAuth token must name one."
    "sasl.oauthbearer.expected.issuer", String = null, Any, High, ReadOnly, Public, Later;
        "The issuer that an OAuth token must name."
    "sasl.oauthbearer.jwks.endpoint.refresh.ms", Long = "3600000", Any, Low, ReadOnly, Public, Later;
        "How often the OAuth provider's keys are fetched again."
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Long = "10000", Any, Low, ReadOnly, Public, Later;
        "The most that the wait between two fetches of keys grows to."
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Long = "100", Any, Low, ReadOnly, Public, Later;
        "How long to wait before keys are fetched again after a failure."
    "sasl.oauthbearer.jwks.endpoint.url", String = null, Any, Medium, ReadOnly, Public, Later;
        "Where the OAuth provider's keys are."
    "sasl.oauthbearer.jwt.retriever.class", Class = "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever", Any, Medium, ReadOnly, Public, Later;
        "The class that fetches OAuth tokens."
    "sasl.oauthbearer.jwt.validator.class", Class = "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator", Any, Medium, ReadOnly, Public, Later;
        "The class that checks OAuth tokens."
    "sasl.oauthbearer.scope.claim.name", String = "scope", Any, Low, ReadOnly, Public, Later;
        "The claim that holds an OAuth token's scope."
    "sasl.oauthbearer.scope", String = null, Any, Medium, ReadOnly, Public, Later;
        "The scope that is asked of the OAuth provider."
    "sasl.oauthbearer.sub.claim.name", String = "sub", Any, Low, ReadOnly, Public, Later;
        "The claim that holds an OAuth token's subject."
    "sasl.oauthbearer.token.endpoint.url", String = null, Any, Medium, ReadOnly, Public, Later;
        "Where OAuth tokens are fetched."
    "sasl.server.callback.handler.class", Class = null, Any, Medium, ReadOnly, Public, Later;
        "The class of the server's SASL callbacks."
    "sasl.server.max.receive.size", Int = "524288", Any, Medium, ReadOnly, Public, Later;
        "The largest SASL message that is read before authentication."
    "ssl.allow.dn.changes", Boolean = "false", Any, Low, ReadOnly, Public, Later;
        "Whether a new certificate may bear another distinguished name."
    "ssl.allow.san.changes", Boolean = "false", Any, Low, ReadOnly, Public, Later;
        "Whether a new certificate may bear other alternative names."
    "ssl.cipher.suites", List = "", ENTRIES, Medium, PerBroker, Public, Later;
        "The cipher suites that may be used."
    "ssl.client.auth", String = "none", OneOf(&["required", "requested", "none"]), Medium, PerBroker, Public, NotBuilt;
        "Whether clients must show a certificate: required, requested or none."
    "ssl.enabled.protocols", List = "TLSv1.2,TLSv1.3", ENTRIES, Medium, PerBroker, Public, Later;
        "The TLS versions that may be used."
    "ssl.endpoint.identification.algorithm", String = "https", Any, Low, PerBroker, Public, Later;
        "How a server's name is checked against its certificate."
    "ssl.engine.factory.class", Class = null, Any, Low, PerBroker, Public, Later;
        "The class that makes TLS engines."
    "ssl.key.password", Password = null, Any, Medium, PerBroker, Public, Later;
        "The password of the private key."
    "ssl.keymanager.algorithm", String = "SunX509", Any, Medium, PerBroker, Public, Later;
        "The algorithm of the key manager."
    "ssl.keystore.certificate.chain", Password = null, Any, Medium, PerBroker, Public, Later;
        "The certificate chain, in PEM."
    "ssl.keystore.key", Password = null, Any, Medium, PerBroker, Public, Later;
        "The private key, in PEM."
    "ssl.keystore.location", String = null, Any, Medium, PerBroker, Public, Later;
        "The file of the key store."
    "ssl.keystore.password", Password = null, Any, Medium, PerBroker, Public, Later;
        "The password of the key store."
    "ssl.keystore.type", String = "JKS", Any, Medium, PerBroker, Public, Later;
        "The format of the key store."
    "ssl.principal.mapping.rules", String = "DEFAULT", Any, Low, ReadOnly, Public, Later;
        "How a certificate's distinguished name becomes a principal."
    "ssl.protocol", String = "TLSv1.3", Any, Medium, PerBroker, Public, Later;
        "The TLS version of the context."
    "ssl.provider", String = null, Any, Medium, PerBroker, Public, Later;
        "The name of the TLS provider."
    "ssl.secure.random.implementation", String = null, Any, Low, PerBroker, Public, Later;
        "The random generator of TLS."
    "ssl.trustmanager.algorithm", String = "PKIX", Any, Medium, PerBroker, Public, Later;
        "The algorithm of the trust manager."
    "ssl.truststore.certificates", Password = null, Any, Medium, PerBroker, Public, Later;
        "The trusted certificates, in PEM."
    "ssl.truststore.location", String = null, Any, Medium, PerBroker, Public, Later;
        "The file of the trust store."
    "ssl.truststore.password", Password = null, Any, Medium, PerBroker, Public, Later;
        "The password of the trust store."
    "ssl.truststore.type", String = "JKS", Any, Medium, PerBroker, Public, Later;
        "The format of the trust store."
}
