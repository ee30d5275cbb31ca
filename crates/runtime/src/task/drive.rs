//! The loop of a task.

use super::{End, Phase, Result, Task};
use crate::{
    chain::Running,
    element::StreamElement,
    gate::{GateEvent, ReceiverGone},
    output::OutputEdge,
    times::WaitingFor,
    valve::ValveOutput,
};
use flott_core::{
    id::OperatorId,
    operator::WatermarkStatus,
    source::{ReadStatus, SourceRequest},
    time::MAX_WATERMARK,
};
use flott_rpc::task::{TaskCommand, TaskReport};
use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::Duration,
};

/// How long a task that is busy may gather what it sends to other processes. One that waits sends everything first.
const GATHERING: Duration = Duration::from_millis(1);

/// What one look at the input gave.
enum Polled {
    /// Something was done.
    Worked,
    /// Nothing is there; the waker is registered.
    Nothing,
}

/// Why a task waits, for its figures.
#[derive(Clone, Copy)]
enum Waiting {
    Input,
    Output,
    /// An operator takes no more for now.
    Operator,
}

impl Task {
    pub(super) async fn drive(&mut self) -> Result<End> {
        self.metrics.opens(self.attempt.attempt, self.env.clock.monotonic(), self.env.clock.wall());
        self.open()?;
        self.metrics.opened(self.env.clock.monotonic());
        self.report(TaskReport::Running);
        if self.had_finished() {
            self.tell_end(true);
        }
        loop {
            if let Some(end) = self.commands()? {
                return Ok(end);
            }
            if self.phase != Phase::Orphaned {
                self.wake_operators()?;
            }
            if !self.send().await {
                self.wait(Waiting::Output).await;
                continue;
            }
            self.write_out_at_times();
            let step_started = self.snapshot.is_some().then(|| self.env.clock.monotonic());
            self.go_on_with_snapshot()?;
            if self.settling && self.is_settled() {
                return Ok(End::Finished);
            }
            if !self.is_ready() {
                self.note_step(step_started);
                if self.snapshot.as_ref().is_some_and(|snapshot| !snapshot.is_behind()) {
                    yield_now().await;
                } else {
                    self.wait(Waiting::Operator).await;
                }
                continue;
            }
            let polled = self.poll_input().await?;
            self.note_step(step_started);
            match polled {
                Polled::Worked => {
                    // A task that never waits must show what it does, too.
                    self.metrics.times.worked(self.env.clock.monotonic());
                    self.metrics.watermark_out.set(self.chain.watermark_out.get());
                    yield_now().await;
                }
                Polled::Nothing => {
                    // No more input at hand: what was gathered goes out now.
                    self.chain.edges.iter_mut().for_each(OutputEdge::flush);
                    let clear = self.send().await;
                    if self.snapshot.as_ref().is_some_and(|snapshot| !snapshot.is_behind()) {
                        yield_now().await;
                    } else {
                        self.wait(if clear { Waiting::Input } else { Waiting::Output }).await;
                    }
                }
            }
        }
    }

    pub(super) fn report(&self, report: TaskReport) {
        self.env.reporter.report(self.attempt, report);
    }

    /// Handles what the JobManager has sent.
    fn commands(&mut self) -> Result<Option<End>> {
        while let Some(command) = self.mailbox.take() {
            match command {
                TaskCommand::Cancel => return Ok(Some(End::Canceled)),
                TaskCommand::Fail(reason) => return Err(reason.into()),
                TaskCommand::TriggerCheckpoint(barrier) => {
                    let actions = self.aligner.trigger(barrier);
                    self.align(actions)?;
                }
                TaskCommand::CheckpointCompleted(checkpoint) => self.checkpoint_completed(checkpoint)?,
                TaskCommand::CheckpointAborted(checkpoint) => self.checkpoint_aborted(checkpoint)?,
                // A source that had finished is given no splits; what comes late is not its own.
                TaskCommand::AddSplits(splits) if !self.had_finished() => self.chain.source(|source, _| source.add_splits(&splits))?,
                TaskCommand::NoMoreSplits if !self.had_finished() => self.chain.source(|source, _| {
                    source.no_more_splits();
                    Ok(())
                })?,
                TaskCommand::AddSplits(_) | TaskCommand::NoMoreSplits => {}
                TaskCommand::Ask { operator, number, body } => {
                    let body = self.ask(operator, &body)?;
                    self.report(TaskReport::Answer { number, body });
                }
            }
        }
        Ok(None)
    }

    /// The answer of an operator to somebody outside of the job.
    fn ask(&mut self, operator: OperatorId, body: &[u8]) -> Result<Option<Vec<u8>>> {
        match self.chain.nodes.iter().position(|node| node.info.id == operator) {
            Some(index) if matches!(self.chain.nodes[index].running, Running::Operator(_)) => {
                self.chain.operator(index, |operator, _| Ok(operator.request(body)))
            }
            _ => Ok(None),
        }
    }

    /// Whether all operators take more input.
    fn is_ready(&self) -> bool {
        self.phase == Phase::Orphaned
            || self.chain.nodes.iter().all(|node| match &node.running {
                Running::Operator(operator) => operator.is_ready(),
                Running::Source(_) => true,
            })
    }

    fn wake_operators(&mut self) -> Result<()> {
        match self.chain.next_wake(false) {
            Some(at) if at <= self.env.clock.monotonic() => self.chain.wake(self.env.clock.monotonic()),
            _ => Ok(()),
        }
    }

    /// Sends what there is room for. If not all could be sent, the waker is registered.
    async fn send(&mut self) -> bool {
        if self.chain.edges.iter().all(OutputEdge::is_clear) {
            return true;
        }
        poll_fn(|cx| {
            let mut clear = true;
            for edge in &mut self.chain.edges {
                match edge.send(Some(cx.waker())) {
                    Ok(all_sent) => clear &= all_sent,
                    // Behind the checkpoint that this task has ended with there are barriers and signs of time alone. Whoever has ended with it
                    // as well needs them no more.
                    Err(ReceiverGone) if self.settling => edge.drop_pending(),
                    Err(ReceiverGone) => {
                        self.phase = Phase::Orphaned;
                        clear = false;
                    }
                }
            }
            Poll::Ready(clear)
        })
        .await
    }

    /// Lets go of what is gathered on its way to other processes.
    fn write_out(&mut self) {
        self.chain.edges.iter_mut().for_each(OutputEdge::write_out);
        self.written_out = self.env.clock.monotonic();
    }

    /// As [`Task::write_out`], if the last time was long ago.
    fn write_out_at_times(&mut self) {
        if self.env.clock.monotonic().saturating_sub(self.written_out) >= GATHERING {
            self.write_out();
        }
    }

    /// Sleeps until something happens: input, room, a command or a time.
    async fn wait(&mut self, waiting: Waiting) {
        let counts_as = match waiting {
            Waiting::Input => WaitingFor::Input,
            Waiting::Output | Waiting::Operator => WaitingFor::Output,
        };
        self.write_out();
        let start = self.env.clock.monotonic();
        self.metrics.times.begin_wait(counts_as, start);
        self.metrics.watermark_out.set(self.chain.watermark_out.get());
        // A wake-up that nothing would follow must not be waited for: its time stays over, and the task would never sleep.
        let polls_source = self.phase == Phase::Reading && matches!(waiting, Waiting::Input);
        let timer = if self.phase == Phase::Orphaned { None } else { self.chain.next_wake(polls_source) };
        let timer = timer.into_iter().chain(self.next_marker().filter(|_| polls_source)).min();
        let mut first = true;
        poll_fn(|cx| {
            if !std::mem::take(&mut first) || self.mailbox.register(cx.waker()) {
                return Poll::Ready(());
            }
            if let (Waiting::Input | Waiting::Operator, Some(snapshot)) = (&waiting, &self.snapshot)
                && !snapshot.is_behind_until(cx.waker())
            {
                return Poll::Ready(());
            }
            if let Some(at) = timer {
                if at <= self.env.clock.monotonic() {
                    return Poll::Ready(());
                }
                self.env.clock.wake_at(at, cx.waker());
            }
            Poll::Pending
        })
        .await;
        self.metrics.times.end_wait(counts_as, self.env.clock.monotonic().saturating_sub(start));
    }

    async fn poll_input(&mut self) -> Result<Polled> {
        poll_fn(|cx| Poll::Ready(self.look_at_input(cx))).await
    }

    fn look_at_input(&mut self, cx: &mut Context<'_>) -> Result<Polled> {
        match self.phase {
            Phase::Orphaned | Phase::Suspended(_) => Ok(Polled::Nothing),
            Phase::Reading if self.gate.is_none() => self.read_source(cx),
            _ if self.gate.is_none() => Ok(Polled::Nothing),
            _ => self.read_gate(cx),
        }
    }

    fn read_source(&mut self, cx: &mut Context<'_>) -> Result<Polled> {
        self.send_marker();
        let (polled, request) = self.chain.source(|source, output| {
            // An error ends the call here: the operator that it comes from, perhaps one behind the source, stays the one to blame.
            let polled = match source.poll(cx, output) {
                Poll::Ready(status) => Poll::Ready(status?),
                Poll::Pending => Poll::Pending,
            };
            Ok((polled, source.take_request()))
        })?;
        if let Some(SourceRequest::Split) = request {
            self.report(TaskReport::RequestSplit);
        }
        match polled {
            Poll::Pending => Ok(Polled::Nothing),
            Poll::Ready(ReadStatus::More) => Ok(Polled::Worked),
            Poll::Ready(ReadStatus::Finished) => {
                self.end_of_input()?;
                Ok(Polled::Worked)
            }
        }
    }

    fn read_gate(&mut self, cx: &mut Context<'_>) -> Result<Polled> {
        let Some(gate) = &mut self.gate else { return Ok(Polled::Nothing) };
        let event = match gate.poll_next(cx, self.aligner.blocked()) {
            Poll::Ready(event) => event,
            Poll::Pending => return Ok(Polled::Nothing),
        };
        match event {
            GateEvent::Element(channel, element) => self.element(channel, element)?,
            GateEvent::Closed(channel) => {
                let output = self.valve.ended(channel);
                if self.phase == Phase::Reading {
                    self.time(output)?;
                }
                let actions = self.aligner.closed(channel);
                self.align(actions)?;
            }
            GateEvent::Broken(_) => self.phase = Phase::Orphaned,
        }
        Ok(Polled::Worked)
    }

    fn element(&mut self, channel: usize, element: StreamElement) -> Result<()> {
        match element {
            StreamElement::Batch(batch) => {
                self.metrics.records_in.add(batch.len() as u64);
                self.metrics.bytes_in.add(batch.estimated_bytes() as u64);
                if self.chain.sampler.is_open() {
                    self.chain.sampler.taken(channel, &batch);
                }
                if !self.had_finished() {
                    self.chain.process(self.channel_inputs[channel], batch)?;
                }
            }
            StreamElement::Encoded(encoded) => {
                let undecoded =
                    |error| format!("what came from another worker cannot be decoded: {error}; do all workers run the same program?");
                let batch = encoded.decode().map_err(undecoded)?;
                self.element(channel, StreamElement::Batch(batch))?;
            }
            StreamElement::Watermark(watermark) => {
                let output = self.valve.watermark(channel, watermark);
                self.time(output)?;
            }
            StreamElement::Status(status) => {
                let output = self.valve.status(channel, status);
                self.time(output)?;
            }
            StreamElement::Barrier(barrier) => {
                if self.alignment_started.is_none() {
                    self.alignment_started = Some(self.env.clock.monotonic());
                }
                let actions = self.aligner.barrier(channel, barrier);
                self.align(actions)?;
            }
            StreamElement::LatencyMarker(marker) => self.note_marker(marker),
            StreamElement::EndOfInput => {
                self.ended_channels[channel] = true;
                if self.phase == Phase::Reading && self.ended_channels.iter().all(|ended| *ended) {
                    self.end_of_input()?;
                }
            }
        }
        Ok(())
    }

    fn time(&mut self, output: ValveOutput) -> Result<()> {
        if self.had_finished() {
            return Ok(());
        }
        if output.status == Some(WatermarkStatus::Active) {
            self.chain.status(WatermarkStatus::Active)?;
        }
        if let Some(watermark) = output.watermark {
            self.metrics.watermark_in.set(watermark);
            self.chain.watermark(watermark)?;
        }
        if output.status == Some(WatermarkStatus::Idle) {
            self.chain.status(WatermarkStatus::Idle)?;
        }
        Ok(())
    }

    /// All input has ended: operators finish, and the next tasks are told.
    pub(super) fn end_of_input(&mut self) -> Result<()> {
        let is_source = self.gate.is_none();
        if is_source {
            self.chain.watermark(MAX_WATERMARK)?;
        }
        self.chain.finish()?;
        self.tell_end(false);
        Ok(())
    }

    fn tell_end(&mut self, with_watermark: bool) {
        if with_watermark {
            self.chain.control(&StreamElement::Watermark(MAX_WATERMARK));
        }
        self.chain.control(&StreamElement::EndOfInput);
        self.phase = Phase::Ended;
        self.report(TaskReport::EndOfData);
    }

    /// Whether everything is committed and sent.
    fn is_settled(&self) -> bool {
        let settled = |node: &crate::chain::ChainNode| match &node.running {
            Running::Operator(operator) => operator.is_settled(),
            Running::Source(_) => true,
        };
        let sent = self.chain.edges.iter().all(OutputEdge::is_clear);
        sent && self.chain.nodes.iter().all(settled)
    }

    /// A turn of the loop that began at `started` is over: the longest one during a snapshot is among its figures.
    fn note_step(&mut self, started: Option<Duration>) {
        if let (Some(started), Some(pending)) = (started, &mut self.snapshot) {
            let took = self.env.clock.monotonic().saturating_sub(started).as_micros() as u64;
            pending.stats.longest_step_us = pending.stats.longest_step_us.max(took);
        }
    }

    /// The time since the task began to align, µs.
    pub(super) fn take_alignment(&mut self, now: Duration) -> u64 {
        self.alignment_started.take().map_or(0, |start| now.saturating_sub(start).as_micros() as u64)
    }
}

/// Lets the executor choose who goes on. On a thread of its own the task goes on at once.
async fn yield_now() {
    let mut yielded = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
