//! Every interleaving of the ACD's matching protocol, by loom: `src/acd/word.rs`,
//! `src/acd/matching.rs`, `src/acd/place.rs`, `src/acd/due.rs` and `src/acd/wish.rs` as they are,
//! over loom's atomics.
//!
//! `sound` is the protocol itself. The others are the same files with one thing taken away, and a
//! test shows that the same models then fail: each of those things is needed, and the models see
//! it.

#![allow(clippy::duplicate_mod, reason = "the same files over other atomics are the point")]

/// With atomics that order nothing but themselves.
mod relaxed;
/// The protocol as it is.
mod sound;
/// With words that are read and written in two steps.
mod torn;
/// Without the fence between publishing and looking.
mod unfenced;

/// One agent comes while two callers enter: one of them is rung.
#[test]
fn an_agent_and_callers_who_come_at_once_meet() {
    sound::model::meets(sound::model::Looks::All);
}

/// The agent is claimed for a caller who hangs up: the other caller has him then.
#[test]
fn a_caller_who_hangs_up_does_not_lose_the_agent() {
    sound::model::hang_up(sound::model::Looks::All);
}

/// The agent logs out while he is claimed; another is free.
#[test]
fn an_agent_who_logs_out_does_not_lose_the_caller() {
    sound::model::log_out(sound::model::Looks::All);
}

/// Two phones ring and both answer while a third agent comes.
#[test]
fn of_two_who_answer_one_wins() {
    sound::model::answers();
}

/// The phone is answered, times out, and the caller hangs up, all at once.
#[test]
fn an_offer_ends_once() {
    sound::model::ends_once(sound::model::Looks::All);
}

/// All phones ring while the caller hangs up and another agent comes.
#[test]
fn nobody_rings_for_a_caller_who_is_gone() {
    sound::model::gone();
}

/// An agent serves two callers of a line with two agents: none is left over.
#[test]
fn two_agents_and_two_callers_pair_up() {
    sound::model::pairs();
}

/// A caller is moved past the agent who comes and searches the line.
#[test]
fn who_is_moved_while_an_agent_comes_is_rung() {
    sound::model::moved_past_a_search(sound::model::Looks::All);
}

/// A caller is moved, while the agent who rings for him logs out and another comes.
#[test]
fn who_is_moved_while_his_agent_logs_out_is_rung_by_another() {
    sound::model::moved_and_logged_out();
}

#[test]
fn who_hangs_up_while_he_is_moved_is_in_no_line() {
    sound::model::moved_and_gone();
}

#[test]
fn who_is_answered_while_he_is_moved_is_in_no_line() {
    sound::model::moved_and_answered();
}

/// One moves him up, one back to where he was.
#[test]
fn who_is_moved_by_two_at_once_stands_at_one_place() {
    sound::model::moved_to_and_fro();
}

#[test]
fn who_is_rung_for_is_known() {
    sound::model::rung_while_he_enters(sound::model::Looks::All);
}

#[test]
#[should_panic(expected = "a phone rings for a call that nobody knows")]
fn known_after_he_stands_in_the_line_it_is_too_late() {
    sound::model::rung_while_he_enters(sound::model::Looks::Unknown);
}

#[test]
fn who_is_moved_while_he_enters_stands_at_one_place() {
    sound::model::moved_while_he_enters();
}

#[test]
fn who_hangs_up_while_he_enters_is_in_no_line() {
    sound::model::gone_while_he_enters();
}

#[test]
fn what_is_due_follows_from_what_both_have_changed() {
    sound::desk::earlier_and_later();
}

#[test]
#[should_panic(expected = "what is due is not what follows")]
fn worked_out_once_what_is_due_may_be_what_was_before() {
    sound::desk::worked_out_once();
}

#[test]
fn a_timer_that_two_have_to_do_with_is_not_lost() {
    sound::desk::to_and_fro();
}

#[test]
fn nothing_is_due_that_is_over() {
    sound::desk::and_over();
}

#[test]
#[should_panic(expected = "a timer is left")]
fn without_the_fence_a_timer_is_left() {
    unfenced::desk::and_over();
}

#[test]
fn of_two_who_want_a_break_one_stays() {
    sound::crew::two_want_one();
}

#[test]
fn who_wants_a_break_while_another_comes_has_it() {
    sound::crew::another_comes();
}

#[test]
fn of_three_of_whom_one_comes_two_have_their_break() {
    sound::crew::two_want_one_and_another_comes();
}

#[test]
#[should_panic(expected = "a wish is forgotten")]
fn without_the_fence_a_wish_is_forgotten() {
    unfenced::crew::another_comes();
}

#[test]
#[should_panic(expected = "a wish is forgotten")]
fn by_a_torn_bell_a_wish_is_forgotten() {
    torn::crew::two_want_one_and_another_comes();
}

#[test]
fn who_sees_a_change_sees_what_led_to_it() {
    sound::model::agents_fact();
    sound::model::callers_fact();
    sound::model::bits_fact();
    sound::model::removed_bits_fact();
}

#[test]
#[should_panic(expected = "what led to it is not seen")]
fn over_relaxed_words_of_agents_it_is_not_seen() {
    relaxed::model::agents_fact();
}

#[test]
#[should_panic(expected = "what led to it is not seen")]
fn over_relaxed_words_of_callers_it_is_not_seen() {
    relaxed::model::callers_fact();
}

#[test]
#[should_panic(expected = "what led to it is not seen")]
fn over_relaxed_bits_it_is_not_seen() {
    relaxed::model::bits_fact();
}

#[test]
#[should_panic(expected = "what led to it is not seen")]
fn over_relaxed_bits_that_go_it_is_not_seen() {
    relaxed::model::removed_bits_fact();
}

#[test]
#[should_panic(expected = "a caller waits while an agent is free")]
fn without_the_fence_a_caller_is_lost() {
    unfenced::model::meets(unfenced::model::Looks::All);
}

#[test]
#[should_panic(expected = "a caller waits while an agent is free")]
fn without_the_second_look_for_agents_a_caller_is_lost() {
    sound::model::hang_up(sound::model::Looks::CallersOnly);
}

#[test]
#[should_panic(expected = "a caller waits while an agent is free")]
fn without_the_second_look_for_callers_a_caller_is_lost() {
    sound::model::log_out(sound::model::Looks::AgentsOnly);
}

#[test]
#[should_panic(expected = "a caller waits while an agent is free")]
fn without_a_look_after_the_move_a_caller_is_lost() {
    sound::model::moved_past_a_search(sound::model::Looks::NotMoved);
}

#[test]
#[should_panic(expected = "who is gone stands in the line")]
fn without_the_fence_who_is_gone_is_left_in_the_line() {
    unfenced::model::moved_and_gone();
}

#[test]
#[should_panic(expected = "one has the call")]
fn with_torn_words_two_agents_win() {
    torn::model::answers();
}
