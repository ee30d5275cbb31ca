use crate::pair::{Ear, Heard, PATIENCE, deaf, pair, pair_with};
use flott_net::{Link, LinkError, LinkOptions, Payload, SendError, frame::FrameError};

#[test]
fn frames_of_a_channel_keep_their_order_whatever_their_length() {
    let (a, b) = pair();
    let channel = a.link.open(b"edge 1").unwrap();
    let receiving = b.opened(b"edge 1");
    b.link.grant(receiving, 100);
    assert_eq!(a.next(), Heard::Credit(channel, 100));
    let payload = |n: usize| vec![n as u8; n * n * 40];
    for n in 0..100 {
        match n % 3 {
            0 => a.link.send(channel, payload(n)).unwrap(),
            1 => a.link.send_control(channel, payload(n)).unwrap(),
            _ => {
                let make = move |buffer: &mut Vec<u8>| {
                    buffer.extend(payload(n));
                    Ok(())
                };
                a.link.send(channel, Payload::made(n, make)).unwrap()
            }
        };
        if n % 7 == 0 {
            a.link.flush();
        }
    }
    a.link.flush();
    for n in 0..100 {
        let expected = if n % 3 == 1 { Heard::Control(receiving, payload(n)) } else { Heard::Data(receiving, payload(n)) };
        assert!(b.next() == expected, "frame {n}");
    }
}

#[test]
fn a_channel_without_credit_holds_back_itself_and_no_other() {
    let (a, b) = pair();
    let (slow, fast) = (a.link.open(b"slow").unwrap(), a.link.open(b"fast").unwrap());
    let (slow_in, fast_in) = (b.opened(b"slow"), b.opened(b"fast"));
    assert_eq!(a.send(slow, vec![1]), Err(SendError::NoCredit));
    b.link.grant(slow_in, 2);
    assert_eq!(a.next(), Heard::Credit(slow, 2));
    a.send(slow, vec![1; 100_000]).unwrap();
    a.send(slow, vec![2; 100_000]).unwrap();
    for n in 0..1000u32 {
        assert_eq!(a.send(slow, vec![3]), Err(SendError::NoCredit));
        b.link.grant(fast_in, 1);
        assert_eq!(a.next(), Heard::Credit(fast, 1));
        a.send(fast, n.to_le_bytes().to_vec()).unwrap();
    }
    assert_eq!(b.next(), Heard::Data(slow_in, vec![1; 100_000]));
    assert_eq!(b.next(), Heard::Data(slow_in, vec![2; 100_000]));
    for n in 0..1000u32 {
        assert_eq!(b.next(), Heard::Data(fast_in, n.to_le_bytes().to_vec()));
    }
    // What has no need of credit passes, and order is kept.
    a.send_control(slow, b"still here".to_vec()).unwrap();
    assert_eq!(b.next(), Heard::Control(slow_in, b"still here".to_vec()));
}

#[test]
fn closing_and_breaking_are_told_apart_and_end_one_channel_alone() {
    let (a, b) = pair();
    let channels: Vec<_> = (0..3u8).map(|n| a.link.open(&[n]).unwrap()).collect();
    let receiving: Vec<_> = (0..3u8).map(|n| b.opened(&[n])).collect();
    a.send_control(channels[0], b"last".to_vec()).unwrap();
    a.link.close(channels[0]);
    a.link.break_off(channels[1]);
    a.link.close(channels[1]);
    assert_eq!(a.send_control(channels[0], b"late".to_vec()), Err(SendError::Ended));
    assert_eq!(b.next(), Heard::Control(receiving[0], b"last".to_vec()));
    assert_eq!(b.next(), Heard::Closed(receiving[0]));
    assert_eq!(b.next(), Heard::Broken(receiving[1]));
    a.send_control(channels[2], b"alive".to_vec()).unwrap();
    assert_eq!(b.next(), Heard::Control(receiving[2], b"alive".to_vec()));
}

#[test]
fn both_sides_open_channels_of_their_own() {
    let (a, b) = pair();
    let (there, back) = (a.link.open(b"there").unwrap(), b.link.open(b"back").unwrap());
    let (there_in, back_in) = (b.opened(b"there"), a.opened(b"back"));
    a.send_control(there, b"ping".to_vec()).unwrap();
    assert_eq!(b.next(), Heard::Control(there_in, b"ping".to_vec()));
    b.send_control(back, b"pong".to_vec()).unwrap();
    assert_eq!(a.next(), Heard::Control(back_in, b"pong".to_vec()));
}

#[test]
fn a_rejected_channel_is_gone_on_both_sides_and_what_was_under_way_is_dropped() {
    let (a, b) = pair();
    let (rejected, other) = (a.link.open(b"rejected").unwrap(), a.link.open(b"other").unwrap());
    let (rejected_in, other_in) = (b.opened(b"rejected"), b.opened(b"other"));
    b.link.reject(rejected_in);
    // Whether this is refused or dropped on its way depends on who is faster.
    let _ = a.send_control(rejected, b"under way".to_vec());
    assert_eq!(a.next(), Heard::Rejected(rejected));
    assert_eq!(a.send_control(rejected, b"late".to_vec()), Err(SendError::Ended));
    a.send_control(other, b"alive".to_vec()).unwrap();
    assert_eq!(b.next(), Heard::Control(other_in, b"alive".to_vec()));
}

#[test]
fn a_payload_that_cannot_be_made_breaks_its_channel_alone() {
    let (a, b) = pair();
    let (bad, good) = (a.link.open(b"bad").unwrap(), a.link.open(b"good").unwrap());
    let (bad_in, good_in) = (b.opened(b"bad"), b.opened(b"good"));
    a.send_control(bad, b"first".to_vec()).unwrap();
    let make = |buffer: &mut Vec<u8>| {
        buffer.extend(b"half of i");
        Err("no number".into())
    };
    a.send_control(bad, Payload::made(10, make)).unwrap();
    let _ = a.send_control(bad, b"behind it".to_vec());
    a.link.close(bad);
    assert_eq!(a.next(), Heard::Unsendable(bad, "it cannot be encoded: no number".to_owned()));
    a.send_control(good, b"alive".to_vec()).unwrap();
    assert_eq!(b.next(), Heard::Control(bad_in, b"first".to_vec()));
    assert_eq!(b.next(), Heard::Broken(bad_in));
    assert_eq!(b.next(), Heard::Control(good_in, b"alive".to_vec()));
}

#[test]
fn a_payload_that_is_made_too_long_breaks_its_channel_and_names_both_lengths() {
    let small = LinkOptions { max_payload: 40_000, ..LinkOptions::default() };
    let (a, b) = pair_with(small, small);
    let channel = a.link.open(b"made").unwrap();
    let make = |buffer: &mut Vec<u8>| {
        buffer.resize(buffer.len() + 40_001, 0);
        Ok(())
    };
    a.send_control(channel, Payload::made(0, make)).unwrap();
    let message = "a frame of 40001 bytes, more than the 40000 that are allowed".to_owned();
    assert_eq!(a.next(), Heard::Unsendable(channel, message));
    let receiving = b.opened(b"made");
    assert_eq!(b.next(), Heard::Broken(receiving));
}

#[test]
fn a_payload_above_the_bound_is_refused_and_names_both_lengths() {
    let small = LinkOptions { max_payload: 40_000, ..LinkOptions::default() };
    let (a, b) = pair_with(small, small);
    let channel = a.link.open(b"x").unwrap();
    let receiving = b.opened(b"x");
    let refused = a.link.send_control(channel, vec![0; 40_001]).unwrap_err();
    assert_eq!(refused, SendError::Frame(FrameError::TooLong { length: 40_001, limit: 40_000 }));
    assert_eq!(refused.to_string(), "a frame of 40001 bytes, more than the 40000 that are allowed");
    a.link.send_control(channel, vec![1; 40_000]).unwrap();
    a.link.flush();
    assert_eq!(b.next(), Heard::Control(receiving, vec![1; 40_000]));
}

#[test]
fn what_is_sent_is_gathered_and_written_even_if_nobody_flushes() {
    let (a, b) = pair();
    let (first, second) = (a.link.open(b"1").unwrap(), a.link.open(b"2").unwrap());
    let (first_in, second_in) = (b.opened(b"1"), b.opened(b"2"));
    assert_eq!(a.link.send_control(first, vec![1; 100]), Ok(116));
    assert_eq!(a.link.send_control(first, vec![2; 84]), Ok(216));
    // A channel that ends is no reason to wait.
    a.link.close(second);
    for heard in [Heard::Control(first_in, vec![1; 100]), Heard::Control(first_in, vec![2; 84]), Heard::Closed(second_in)] {
        assert_eq!(b.next(), heard);
    }
    // Nobody flushes: whoever has sent may be at work for long.
    for n in 0..3 {
        assert_eq!(a.link.send_control(first, vec![n]), Ok(17));
        assert_eq!(b.next(), Heard::Control(first_in, vec![n]));
    }
}

#[test]
fn whoever_flushes_never_waits_for_a_side_that_does_not_read() {
    let (deaf, stream) = deaf();
    let (ear, _heard) = Ear::new();
    let link = Link::start(stream, LinkOptions { heartbeat: None, ..LinkOptions::default() }, ear).unwrap();
    let channel = link.open(b"x").unwrap();
    for n in 0..100u8 {
        link.send_control(channel, vec![n; 1_000_000]).unwrap();
        link.flush();
    }
    drop(deaf);
    assert!(link.wait_lost(PATIENCE));
}

#[test]
fn a_frame_above_the_receivers_bound_ends_the_connection_and_both_know_why() {
    let small = LinkOptions { max_payload: 10, ..LinkOptions::default() };
    let (a, b) = pair_with(LinkOptions::default(), small);
    let channel = a.link.open(b"x").unwrap();
    b.opened(b"x");
    a.send_control(channel, vec![0; 11]).unwrap();
    let reason = "what came is damaged: a frame of 11 bytes, more than the 10 that are allowed";
    assert_eq!(b.is_lost().to_string(), reason);
    assert_eq!(a.is_lost(), LinkError::Goodbye(reason.to_owned()));
}

#[test]
fn an_aborted_connection_is_lost_on_both_sides_and_sends_no_more() {
    let (a, b) = pair();
    let channel = a.link.open(b"x").unwrap();
    b.opened(b"x");
    a.link.abort();
    assert_eq!(a.is_lost(), LinkError::ShutDown);
    assert_eq!(b.is_lost(), LinkError::Gone);
    assert_eq!(a.send_control(channel, vec![]), Err(SendError::Ended));
    assert_eq!(b.link.open(b"y"), Err(SendError::Ended));
    assert_eq!((a.link.ended(), b.link.ended()), (Some(LinkError::ShutDown), Some(LinkError::Gone)));
}

#[test]
fn shutting_down_sends_everything_first() {
    let (a, b) = pair();
    let channel = a.link.open(b"x").unwrap();
    let receiving = b.opened(b"x");
    for n in 0..100u8 {
        a.send_control(channel, vec![n; 50_000]).unwrap();
    }
    a.link.close(channel);
    a.link.shut_down();
    assert!(a.link.wait_lost(PATIENCE));
    for n in 0..100u8 {
        assert!(b.next() == Heard::Control(receiving, vec![n; 50_000]), "frame {n}");
    }
    assert_eq!(b.next(), Heard::Closed(receiving));
    assert_eq!(b.is_lost(), LinkError::Goodbye("it was shut down".to_owned()));
    assert_eq!(a.is_lost(), LinkError::ShutDown);
}
