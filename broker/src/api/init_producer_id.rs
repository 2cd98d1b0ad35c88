//! InitProducerId (key 22): a producer id for an idempotent producer.
//!
//! - Without a transactional id: a new id with epoch 0, always, also if the request brings an id and epoch of before.
//!   A request that brings only one of the two is refused: INVALID_REQUEST.
//! - With one: TRANSACTIONAL_ID_AUTHORIZATION_FAILED until transactions are served; an empty one is INVALID_REQUEST.
//! - Ids come from a block of a thousand that this shard was given by the controller, written to the metadata log before.
//!   The block that is left at a stop is lost: ids are never given twice.
//! - Kafka answers COORDINATOR_LOAD_IN_PROGRESS while the first block is on its way; here the request waits for it.
//!
//! 1: the same. 2: flexible. 3: producer id and epoch (KIP-360). 4: PRODUCER_FENCED (KIP-588). 5: TRANSACTION_ABORTABLE (KIP-890).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ops::Range;

use net::wire::ErrorCode;
use net::wire::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};

use super::create_topics::unwritten;
use super::{Context, Operation, Resource};
use crate::controller::{ControllerAnswer, ControllerRequest};

/// A shard's blocks of producer ids that are not used up.
#[derive(Debug, Default)]
pub(crate) struct ProducerIds(RefCell<VecDeque<Range<i64>>>);

impl ProducerIds {
    fn take(&self) -> Option<i64> {
        let mut blocks = self.0.borrow_mut();
        while let Some(block) = blocks.front_mut() {
            match block.next() {
                Some(id) => return Some(id),
                None => drop(blocks.pop_front()),
            }
        }
        None
    }

    fn add(&self, block: Range<i64>) {
        self.0.borrow_mut().push_back(block);
    }
}

pub(crate) async fn handle(
    cx: &Context,
    _version: i16,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    if request.transactional_id.is_none()
        && !cx.authorize(Operation::IdempotentWrite, Resource::Cluster)
    {
        return refused(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    }
    if let Some(code) = refusal(&request) {
        return refused(code);
    }
    match next_id(cx).await {
        Ok(producer_id) => {
            InitProducerIdResponse { producer_id, ..InitProducerIdResponse::default() }
        }
        Err(code) => refused(code),
    }
}

/// What is wrong with a request, whoever sends it.
fn refusal(request: &InitProducerIdRequest) -> Option<ErrorCode> {
    let (id, epoch) = (request.producer_id, request.producer_epoch);
    if (id == -1) != (epoch == -1) {
        return Some(ErrorCode::INVALID_REQUEST);
    }
    match request.transactional_id.as_deref() {
        None => None,
        Some("") => Some(ErrorCode::INVALID_REQUEST),
        Some(_) => Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED),
    }
}

async fn next_id(cx: &Context) -> Result<i64, ErrorCode> {
    loop {
        if let Some(id) = cx.shard.producer_ids.take() {
            return Ok(id);
        }
        match cx.shard.controller(ControllerRequest::AllocateProducerIds).await {
            Ok(ControllerAnswer::ProducerIds(block)) => cx.shard.producer_ids.add(block),
            Ok(ControllerAnswer::Unwritten(error)) => return Err(unwritten(&error)),
            Ok(_) => return Err(ErrorCode::UNKNOWN_SERVER_ERROR),
            Err(_) => return Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
        }
    }
}

fn refused(error_code: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse { error_code, producer_epoch: -1, ..InitProducerIdResponse::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_kafkas() {
        let check =
            |transactional: Option<&str>, id: i64, epoch: i16, expected: Option<ErrorCode>| {
                let request = InitProducerIdRequest {
                    transactional_id: transactional.map(Into::into),
                    producer_id: id,
                    producer_epoch: epoch,
                    ..InitProducerIdRequest::default()
                };
                assert_eq!(refusal(&request), expected, "{request:?}");
            };
        check(None, -1, -1, None);
        check(None, 77, 3, None);
        check(None, 5, -1, Some(ErrorCode::INVALID_REQUEST));
        check(None, -1, 3, Some(ErrorCode::INVALID_REQUEST));
        check(Some(""), -1, -1, Some(ErrorCode::INVALID_REQUEST));
        check(Some("t"), 5, -1, Some(ErrorCode::INVALID_REQUEST));
        check(Some("t"), -1, -1, Some(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED));
        assert_eq!(refused(ErrorCode::INVALID_REQUEST).producer_id, -1);
    }

    #[test]
    fn every_id_is_given_once() {
        let ids = ProducerIds::default();
        assert_eq!(ids.take(), None);
        ids.add(0..2);
        ids.add(1000..1001);
        assert_eq!(
            [ids.take(), ids.take(), ids.take(), ids.take()],
            [Some(0), Some(1), Some(1000), None]
        );
    }
}
