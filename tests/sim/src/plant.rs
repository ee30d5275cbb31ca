//! Planted faults: what a simulation is worth is shown by the bugs that it finds. Each is a bug that other engines had, put
//! between the real parts by the simulated shell; the parts themselves stay as they are.

macro_rules! plants {
    (jobs { $($plant:ident = $name:literal: $about:literal;)* } clusters { $($of_cluster:ident = $its_name:literal: $its_about:literal;)* }) => {
        /// A planted fault.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[expect(missing_docs, reason = "`about` says what each is")]
        pub enum Plant { $($plant,)* $($of_cluster),* }

        impl Plant {
            /// All that a job alone can have.
            pub const ALL: &[Plant] = &[$(Plant::$plant),*];

            /// Those of clusters.
            pub const CLUSTER: &[Plant] = &[$(Plant::$of_cluster),*];

            /// The name on the command line.
            pub fn name(self) -> &'static str {
                match self { $(Plant::$plant => $name,)* $(Plant::$of_cluster => $its_name),* }
            }

            /// What is wrong.
            pub fn about(self) -> &'static str {
                match self { $(Plant::$plant => $about,)* $(Plant::$of_cluster => $its_about),* }
            }

            /// The plant of this name.
            pub fn of_name(name: &str) -> Option<Plant> {
                Plant::ALL.iter().chain(Plant::CLUSTER).copied().find(|plant| plant.name() == name)
            }
        }
    };
}

plants! {
jobs {
    CommitBeforeStored = "commit-before-stored": "tasks learn that a checkpoint is complete before the storage has said so";
    FailedReportedComplete = "failed-reported-complete": "a completion that the storage refused is reported as done";
    LoseFinalCommittables = "lose-final-committables": "what sinks prepared for the checkpoint behind the end of input is not stored";
    ForgetOnAbort = "forget-on-abort": "what sinks prepared for a checkpoint that was aborted does not belong to the next one";
    FinishedNotRestored = "finished-not-restored": "a subtask that had finished gets no state at restore, so its committables stay uncommitted";
    DropFinishedUnion = "drop-finished-union": "union state of finished subtasks is not restored";
    CommitTwice = "commit-twice": "a commit whose answer was lost is done again by an outside system that does not recognise it";
    AssignNotHeld = "assign-not-held": "splits that are assigned between the enumerator's snapshot and the barrier reach readers before it";
    SplitsNotGivenBack = "splits-not-given-back": "splits of a lost reader are not given back to the enumerator";
    StaleEnumerator = "stale-enumerator": "the enumerator's part of a checkpoint is that of the checkpoint before";
    NoAlignment = "no-alignment": "exactly once is claimed, but inputs are not aligned at barriers";
    BarrierOvertakes = "barrier-overtakes": "barriers overtake records in a channel, and these are not stored";
    OldDataArrives = "old-data-arrives": "what was on its way to an attempt that was cancelled reaches its successor";
    OldCommandArrives = "old-command-arrives": "commands to an attempt that has ended reach its successor";
    WatermarkMax = "watermark-max": "the watermark of several channels is their largest, not their smallest";
    TimersMoved = "timers-moved": "timers are restored into another key group than their key's";
    GroupRangeShort = "group-range-short": "key group ranges are one group short when a job is restored at another parallelism";
    AckBeforeStored = "ack-before-stored": "state files are acknowledged before they are durable";
    DeleteRetained = "delete-retained": "a state file of a retained checkpoint is deleted with an older checkpoint";
    OldMasterNotFenced = "old-master-not-fenced": "a JobManager whose term is over may go on to complete checkpoints";
    BarrierLostBehindEnd = "barrier-lost-behind-end": "barriers behind the end of input are not passed on";
    ReplayedSplit = "replayed-split": "a reader's position in a checkpoint lies before the last record that it emitted";
}
clusters {
    BeyondLease = "beyond-lease": "a leader does not notice that its lease has run out";
    ImpatientStandby = "impatient-standby": "a standby takes over before the lease has run out";
    RegisterNotFenced = "register-not-fenced": "a leader whose term is over may go on to complete checkpoints";
    EndBeforeMarked = "end-before-marked": "the end of a job is acted on before the job store has it";
    SplitsNotResent = "splits-not-resent": "splits that were on their way to a reader when the leader changed are not sent again";
    LostEnumeratorAdopted = "lost-enumerator-adopted": "an enumerator is adopted whose process is gone";
    StopNotHeard = "stop-not-heard": "a TaskManager does not end workers that it is told to end";
    SlotsNotHeld = "slots-not-held": "a new leader gives slots away before it knows which are taken";
    TaskForgotten = "task-forgotten": "a worker's account leaves out a task that has ended, which is taken for running";
}
}
