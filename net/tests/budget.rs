//! The receive budget: who gets memory, who waits, who is closed.

#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::{
    cell::Cell,
    future::Future,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use futures::{FutureExt, future::join, pin_mut};
use glommio::{LocalExecutorBuilder, Placement};
use net::budget::{Budget, Class, Partial, SMALL_FRAME_MAX};
use ring::{Ring, RingOptions};

const MIB: usize = 1 << 20;

fn with_budget<F: Future<Output = ()>>(
    bytes: usize,
    frame_bytes_max: usize,
    test: impl FnOnce(Budget) -> F,
) {
    let executor = LocalExecutorBuilder::new(Placement::Unbound).io_memory(1 << 20).make().unwrap();
    executor.run(async move {
        let ring = Ring::new(&RingOptions::default()).unwrap();
        test(Budget::new(&ring, bytes, frame_bytes_max)).await;
        ring.close().await;
    });
}

#[test]
fn large_frames_leave_a_quarter_and_the_largest_fits() {
    with_budget(16 * MIB, MIB, |budget| async move {
        assert_eq!(budget.total(), 16 * MIB);
        let large = budget.try_take(Class::Large, 12 * MIB).unwrap();
        assert!(budget.try_take(Class::Large, 1).is_none());
        let small = budget.try_take(Class::Small, 4 * MIB).unwrap();
        assert!(budget.try_take(Class::Small, 1).is_none());
        drop(large);
        assert!(budget.try_take(Class::Small, SMALL_FRAME_MAX).is_some());
        drop(small);
        assert_eq!(budget.used(), 0);
    });
    with_budget(MIB, 100 * MIB, |budget| async move {
        assert!(budget.total() >= 100 * MIB + MIB / 4);
        let _large = budget.try_take(Class::Large, 100 * MIB).unwrap();
        assert!(budget.try_take(Class::Small, MIB / 4).is_some());
    });
}

#[test]
fn records_leave_something_to_peers_that_send_none() {
    with_budget(16 * MIB, 0, |budget| async move {
        let records = budget.try_take(Class::Records, 15 * MIB).unwrap();
        assert!(budget.try_take(Class::Records, 1).is_none());
        assert!(budget.try_take(Class::Large, 1).is_none());
        let waiting = budget.take(Class::Records, 1);
        pin_mut!(waiting);
        assert!(waiting.as_mut().now_or_never().is_none());
        let small = budget.try_take(Class::Small, MIB).unwrap();
        assert!(budget.try_take(Class::Small, 1).is_none());
        drop(small);
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(records);
        assert_eq!(waiting.await.bytes(), 1);
    });
}

#[test]
fn memory_is_given_in_the_order_of_asking_and_from_any_thread() {
    with_budget(4 * MIB, 0, |budget| async move {
        let all = budget.try_take(Class::Small, 4 * MIB).unwrap();
        let order = Rc::new(Cell::new(0));
        let ask = |bytes: usize, place: u32| {
            let (budget, order) = (budget.clone(), Rc::clone(&order));
            async move {
                let charge = budget.take(Class::Small, bytes).await;
                assert_eq!(order.replace(order.get() + 1), place);
                charge
            }
        };
        let first = ask(3 * MIB, 0);
        let given_up = budget.take(Class::Small, 4 * MIB);
        let second = ask(1, 1);
        {
            pin_mut!(given_up);
            assert!(given_up.as_mut().now_or_never().is_none());
        }
        assert!(budget.is_pressed() || budget.used() == 4 * MIB);
        let giver = thread::Builder::new().spawn(move || drop(all)).unwrap();
        let (first, second) = join(first, second).await;
        giver.join().unwrap();
        assert_eq!(budget.used(), 3 * MIB + 1);
        drop((first, second));
        assert!(budget.used() == 0 && !budget.is_pressed());
    });
}

#[test]
fn turns_pass_in_order_and_over_those_who_have_gone() {
    with_budget(4 * MIB, 0, |budget| async move {
        let turn = budget.turn(MIB, now()).await;
        let alone = turn.pause_max();
        let mut gone = Box::pin(budget.turn(MIB, now()));
        assert!(gone.as_mut().now_or_never().is_none());
        let mut next = Box::pin(budget.turn(MIB, now()));
        assert!(next.as_mut().now_or_never().is_none());
        assert!(turn.is_wanted() && turn.pause_max() < alone);
        drop(gone);
        drop(turn);
        let turn = next.await;
        // A turn that was given and never taken is passed on.
        let mut given = Box::pin(budget.turn(MIB, now()));
        assert!(given.as_mut().now_or_never().is_none());
        let mut last = Box::pin(budget.turn(MIB, now()));
        assert!(last.as_mut().now_or_never().is_none());
        drop(turn);
        drop(given);
        assert!(!last.await.is_wanted());
    });
}

#[expect(clippy::disallowed_methods, reason = "a test has no other clock")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn who_has_least_to_come_is_next() {
    with_budget(4 * MIB, 0, |budget| async move {
        let turn = budget.turn(0, now()).await;
        let waiting = [5, 3, 9, 4].map(|bytes| budget.turn(bytes * MIB, now()));
        let order = Cell::new(Vec::new());
        let order_of = |bytes: i32, turn: net::budget::Turn| {
            let mut so_far = order.take();
            so_far.push(bytes);
            order.set(so_far);
            drop(turn);
        };
        let all = [5, 3, 9, 4].into_iter().zip(waiting);
        let all = futures::future::join_all(all.map(|(bytes, turn)| {
            let order_of = &order_of;
            turn.map(move |turn| order_of(bytes, turn))
        }));
        let (_, ()) = join(all, async { drop(turn) }).await;
        assert_eq!(order.take(), [3, 4, 5, 9]);
    });
}

struct Frame {
    missing: usize,
    stalled: Duration,
    charge: Cell<Option<net::budget::Charge>>,
    evicted: Cell<bool>,
}

impl Partial for Frame {
    fn held(&self) -> usize {
        MIB
    }

    fn missing(&self) -> usize {
        self.missing
    }

    fn stalled(&self) -> Duration {
        self.stalled
    }

    fn evict(&self) {
        self.evicted.set(true);
        self.charge.set(None);
    }
}

/// Frames of a MiB each, (milliseconds stalled, missing), the last of which has the turn and asks for more: who is closed,
/// and whether it gets it.
fn evicted(frames: &[(u64, usize)]) -> (Vec<bool>, bool) {
    let frames = frames.to_vec();
    let result = Rc::new(Cell::new(None));
    let given = Rc::clone(&result);
    with_budget(4 * MIB, 0, |budget| async move {
        let frames: Vec<_> = frames
            .into_iter()
            .map(|(stalled, missing)| {
                let charge = Cell::new(budget.try_take(Class::Large, MIB));
                Rc::new(Frame {
                    missing,
                    stalled: Duration::from_millis(stalled),
                    charge,
                    evicted: Cell::new(false),
                })
            })
            .collect();
        let own: Rc<dyn Partial> = Rc::<Frame>::clone(frames.last().unwrap());
        let _entered: Vec<_> = frames
            .iter()
            .map(|frame| budget.enter(Rc::<Frame>::clone(frame) as Rc<dyn Partial>))
            .collect();
        let turn = budget.turn(1, now()).await;
        let wanted = budget.turn(1, now());
        pin_mut!(wanted);
        assert!(wanted.as_mut().now_or_never().is_none());
        let more = budget.take_large(MIB, &own, &turn).await;
        given.set(Some((frames.iter().map(|frame| frame.evicted.get()).collect(), more.is_some())));
    });
    result.take().unwrap()
}

#[test]
fn who_makes_room() {
    // Who has sent nothing for longest.
    assert_eq!(evicted(&[(1500, 1), (2500, 1), (0, 10)]), (vec![false, true, false], true));
    // Who has most to come, if nobody has stalled.
    assert_eq!(evicted(&[(10, 20), (900, 30), (0, 10)]), (vec![false, true, false], true));
    // Nobody who has less to come than who asks: that one gives the turn away.
    assert_eq!(evicted(&[(10, 5), (900, 9), (0, 10)]), (vec![false, false, false], false));
}
