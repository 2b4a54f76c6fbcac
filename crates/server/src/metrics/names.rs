//! What each figure is called, and what it says. The names are told to operators, so they stay.

use metrics::{describe_counter, describe_gauge, describe_histogram};

/// What kind of figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows, from the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// How many were no more than each of some bounds.
    Histogram,
}

impl Kind {
    /// The word of the exposition format.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One figure.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// Its kind.
    pub kind: Kind,
    /// By what it is told apart.
    pub labels: &'static [&'static str],
    /// What it says.
    pub what: &'static str,
}

impl Metric {
    pub(super) fn describe(&self) {
        match self.kind {
            Kind::Counter => describe_counter!(self.name, self.what),
            Kind::Gauge => describe_gauge!(self.name, self.what),
            Kind::Histogram => describe_histogram!(self.name, self.what),
        }
    }
}

macro_rules! metrics {
    ($($name:ident $text:literal $kind:ident [$($label:literal),*] $what:literal;)+) => {
        $(pub(super) const $name: &str = $text;)+
        /// Every figure.
        pub const ALL: &[Metric] =
            &[$(Metric { name: $text, kind: Kind::$kind, labels: &[$($label),*], what: $what }),+];
    };
}

metrics! {
    BUILD_INFO "guildhall_build_info" Gauge ["version"] "Always 1; the version of this server.";
    UPTIME "guildhall_uptime_seconds" Gauge [] "Seconds since the process started.";
    REQUESTS "guildhall_http_requests_total" Counter ["method", "route", "status"] "Requests that were answered, by the route's pattern.";
    REQUEST_SECONDS "guildhall_http_request_duration_seconds" Histogram ["method", "route"] "Seconds until a request was answered.";
    SOCKETS "guildhall_websocket_connections" Gauge [] "WebSockets that are open.";
    DATABASE_UP "guildhall_database_up" Gauge [] "1 when the database took something that was written within five seconds.";
    DATABASE_SECONDS "guildhall_database_turn_seconds" Gauge [] "Seconds until the database had taken something that was written, when that was last tried.";
    CONNECTIONS "guildhall_database_connections" Gauge ["state"] "Connections to the database, used or idle.";
    BUS_UP "guildhall_bus_up" Gauge [] "1 while what other servers say comes through Redis; absent where there is none.";
    EVENTS "guildhall_events_total" Counter [] "Events of the team, on all nodes, since its first one.";
    ACTIVE_AGENTS "guildhall_active_agents" Gauge [] "Runs of the whole team at work, on all nodes.";
    QUEUE_DEPTH "guildhall_queue_depth" Gauge [] "Runs of the whole team that wait in the queue.";
    ACTIVE_RUNS "guildhall_active_runs" Gauge [] "Runs at work on this node.";
    WORKTREES "guildhall_worktrees" Gauge [] "Worktrees on this node's disk.";
    RUNS_ENDED "guildhall_runs_ended_total" Counter ["outcome"] "Stretches of work of runs on this node, by how they ended.";
    CALLS "guildhall_model_calls_total" Counter ["provider", "outcome"] "Calls to model providers, by how they ended.";
    TOKENS "guildhall_model_tokens_total" Counter ["provider", "kind"] "Tokens that were billed.";
    COST "guildhall_model_cost_microdollars_total" Counter ["provider"] "What calls cost as far as prices are known, in millionths of a dollar.";
    PROVIDER_FAILURES "guildhall_provider_failures" Gauge [] "Calls that failed in the last five minutes, without rate limits and overloads.";
    WAIT_SECONDS "guildhall_governor_wait_seconds" Histogram [] "Seconds that calls waited for the limits of their key.";
    CALLS_WAITING "guildhall_governor_waiting_calls" Gauge [] "Calls that wait for the limits of their key now.";
    CALLS_UNDER_WAY "guildhall_governor_calls_under_way" Gauge [] "Calls to providers under way.";
    COMMANDS "guildhall_sandbox_commands_total" Counter [] "Commands that were started.";
    COMMANDS_REFUSED "guildhall_sandbox_refusals_total" Counter [] "Commands that could not be started.";
    SANDBOX_USABLE "guildhall_sandbox_usable" Gauge [] "1 when agents' commands can be run on this host.";
    SPANS "guildhall_trace_spans_total" Counter ["outcome"] "Spans for the collector of traces: sent, dropped for want of room, or refused by it.";
    OPEN_ALERTS "guildhall_open_alerts" Gauge ["level"] "Alerts of the whole team that are open, by how bad they are now.";
    MEMORY_USED "guildhall_memory_used_bytes" Gauge [] "Memory in use, of the machine or of the container or service, whichever has less left of its own.";
    MEMORY_TOTAL "guildhall_memory_total_bytes" Gauge [] "Memory that this one has.";
    PROCESS_MEMORY "guildhall_process_memory_bytes" Gauge [] "Memory of the server's own process.";
    DISK_USED "guildhall_disk_used_bytes" Gauge ["path", "role"] "Disk in use, of each file system on which something of the server's lies: what matters most of that is the role, such as `data` or `log`.";
    DISK_TOTAL "guildhall_disk_total_bytes" Gauge ["path", "role"] "Disk of each of these file systems.";
    DISK_FILES_USED "guildhall_disk_files_used" Gauge ["path", "role"] "Files and folders on each of them (inodes), where it holds a fixed number.";
    DISK_FILES_LIMIT "guildhall_disk_files_limit" Gauge ["path", "role"] "Files and folders that each of them can hold.";
    LAST_BACKUP "guildhall_last_good_backup_timestamp_seconds" Gauge [] "When the latest good backup was made, or, where none is good, since when they are missed.";
    LAST_CLEAN_UP "guildhall_last_clean_up_timestamp_seconds" Gauge [] "When the clean-up of this node last came through, or since when it does not.";
    MAIL_STUCK "guildhall_mail_flows_timestamp_seconds" Gauge [] "Now, while mails reach the mail server; else when the first was written that does not.";
    CERTIFICATE_ENDS "guildhall_certificate_ends_timestamp_seconds" Gauge ["host"] "When a certificate ends that browsers are shown.";
    REFUSED_KEYS "guildhall_refused_keys" Gauge [] "Keys of members and of the team that providers refused.";
    PROCESSORS "guildhall_processors" Gauge [] "Processors that the server may use.";
    LOAD "guildhall_load_average" Gauge [] "The machine's load average of the last minute.";
}
