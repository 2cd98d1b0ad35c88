//! DescribeConfigs, key 32, versions 1-4: the configs of topics, brokers and others.
//!
//! - Keys null asks for all.
//! - A sensitive value comes back as null.
//!
//! 1: sources and synonyms (KIP-226). 2: throttled after the answer (KIP-219). 3: types and documentation (KIP-569). 4: flexible (KIP-482).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 32, versions = "1-4", flexible = "4+", response = DescribeConfigsResponse)]
pub struct DescribeConfigsRequest {
    pub resources: Vec<DescribeConfigsResource>,
    pub include_synonyms: bool,
    #[wire(versions = "3+")]
    pub include_documentation: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeConfigsResource {
    /// 2 a topic, 4 a broker, 8 its loggers, 16 client metrics, 32 a group.
    pub resource_type: i8,
    pub resource_name: ByteString,
    /// Null for all.
    pub configuration_keys: Option<Vec<ByteString>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "1-4", flexible = "4+")]
pub struct DescribeConfigsResponse {
    pub throttle_time_ms: i32,
    pub results: Vec<DescribeConfigsResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeConfigsResult {
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub resource_type: i8,
    pub resource_name: ByteString,
    pub configs: Vec<DescribeConfigsResourceResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeConfigsResourceResult {
    pub name: ByteString,
    pub value: Option<ByteString>,
    pub read_only: bool,
    /// 1 topic, 2 broker, 3 brokers' default, 4 file, 5 built-in default, 6 logger, 7 client metrics, 8 group.
    #[wire(default = -1)]
    pub config_source: i8,
    pub is_sensitive: bool,
    /// Where the value may come from, the strongest first.
    pub synonyms: Vec<DescribeConfigsSynonym>,
    /// 1 boolean, 2 string, 3 int, 4 short, 5 long, 6 double, 7 list, 8 class, 9 password.
    #[wire(versions = "3+", ignorable)]
    pub config_type: i8,
    #[wire(versions = "3+", ignorable)]
    pub documentation: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeConfigsSynonym {
    pub name: ByteString,
    pub value: Option<ByteString>,
    pub source: i8,
}
