//! Questions to operators that were not answered yet.

use crate::host::AnswerTo;
use flott_core::id::{AttemptId, OperatorId};
use std::collections::HashMap;

/// A question that was asked again so often is sent again, for what was sent may be lost.
const SEND_AGAIN: u32 = 8;

/// Who waits for an answer. A task that is busy gets one question at a time: who asks meanwhile has given up the first, and gets its answer.
#[derive(Default)]
pub(super) struct Questions {
    waiting: HashMap<OperatorId, Waiting>,
    next: u64,
}

struct Waiting {
    attempt: AttemptId,
    number: u64,
    /// How often it was asked since it was sent.
    times: u32,
    reply: AnswerTo,
}

impl Questions {
    /// Somebody asks an operator, which runs in `attempt`. Returns the number of the question that is to be sent, unless one is on its way.
    pub(super) fn ask(&mut self, operator: OperatorId, attempt: AttemptId, reply: AnswerTo) -> Option<u64> {
        if let Some(waiting) = self.waiting.get_mut(&operator).filter(|waiting| waiting.attempt == attempt) {
            waiting.reply = reply;
            waiting.times = (waiting.times + 1) % SEND_AGAIN;
            return (waiting.times == 0).then_some(waiting.number);
        }
        self.next += 1;
        self.waiting.insert(operator, Waiting { attempt, number: self.next, times: 0, reply });
        Some(self.next)
    }

    /// An operator has answered.
    pub(super) fn answer(&mut self, number: u64, body: Option<Vec<u8>>) {
        let operator = self.waiting.iter().find(|(_, waiting)| waiting.number == number).map(|(operator, _)| *operator);
        if let Some(waiting) = operator.and_then(|operator| self.waiting.remove(&operator)) {
            // Whoever asked may be gone.
            let _ = waiting.reply.send(body);
        }
    }

    /// Questions or answers may be lost: whoever waits asks again.
    pub(super) fn forget(&mut self) {
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::{Questions, SEND_AGAIN};
    use flott_core::id::{AttemptId, OperatorId, SubtaskId, VertexId};
    use std::sync::mpsc;

    fn attempt(attempt: u32) -> AttemptId {
        AttemptId { subtask: SubtaskId { vertex: VertexId(1), index: 0 }, attempt }
    }

    #[test]
    fn a_task_that_is_busy_gets_one_question_at_a_time_and_who_asks_last_its_answer() {
        let (mut questions, operator) = (Questions::default(), OperatorId(1));
        let (first, gave_up) = mpsc::channel();
        let (second, waits) = mpsc::channel();
        assert_eq!(questions.ask(operator, attempt(0), first), Some(1));
        assert_eq!(questions.ask(operator, attempt(0), second.clone()), None);
        assert_eq!(questions.ask(OperatorId(2), attempt(0), second.clone()), Some(2), "another operator");
        questions.answer(1, Some(vec![7]));
        assert!(gave_up.recv().is_err());
        assert_eq!(waits.try_recv(), Ok(Some(vec![7])));
        questions.answer(1, Some(vec![8]));
        assert!(waits.try_recv().is_err(), "it was answered");
        assert_eq!(questions.ask(operator, attempt(0), second), Some(3));
    }

    #[test]
    fn a_question_that_may_be_lost_is_sent_again() {
        let (mut questions, operator) = (Questions::default(), OperatorId(1));
        let (reply, _answer) = mpsc::channel();
        let ask = |questions: &mut Questions, number| questions.ask(operator, attempt(number), reply.clone());
        assert_eq!(ask(&mut questions, 0), Some(1));
        assert_eq!(ask(&mut questions, 1), Some(2), "the task was started again");
        for _ in 1..SEND_AGAIN {
            assert_eq!(ask(&mut questions, 1), None);
        }
        assert_eq!(ask(&mut questions, 1), Some(2));
        questions.forget();
        assert_eq!(ask(&mut questions, 1), Some(3));
    }
}
