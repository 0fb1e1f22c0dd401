//! `cni-steward serve`: the only place that wires the rooms together.
//!
//! One thread does it all. A review takes microseconds of pure computation and a few system calls; handing it to a
//! second thread costs more (wake-ups, a second malloc arena) than it brings, and a probe that shares the thread
//! proves that the thread is alive. What may block (log lines, certificate files) has threads of its own.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use clap::Args;
use tokio::net::TcpListener;

use super::address::{PORT, Telemetry, everywhere, listen};
use super::cluster::InstanceArgs;
use super::greeting::{Greeting, say};
use super::trust::TrustArgs;
use super::{duration, policy_from};
use crate::admission;
use crate::policy::Policy;
use crate::server::connection::{Door, House};
use crate::server::drain::{self, Ended, Signals};
use crate::server::front::Front;
use crate::server::probes::{self, Readiness};
use crate::server::{Limits, listener, tls};
use crate::telemetry::events::of_decision;
use crate::telemetry::logs::{self, Format, Verbosity};
use crate::telemetry::metrics::Metrics;
use crate::telemetry::{clock, sink::Sink};
use crate::trust::Source;
use crate::trust::keeper::Keeper;

use refresh::{Origins, Served};
use steward::Steward;

mod refresh;
mod steward;

/// What the command does, in a line.
pub const ABOUT: &str = "Answer admission reviews";
const EXAMPLES: &str = "\
Examples:
  cni-steward serve --standalone
      on this machine only, with a certificate authority of its own; prints how to register it
  cni-steward serve --standalone --listen 0.0.0.0:9443 --san host.minikube.internal
      reachable from a minikube, kind or k3d cluster on this machine
  cni-steward serve --cert tls.crt --key tls.key --policy /etc/cni-steward/policy.yaml
      with your own certificate; all files are watched, and taken when they change";

/// The options of `serve`.
#[derive(Debug, Args)]
#[command(about = ABOUT, after_help = EXAMPLES)]
pub struct ServeArgs {
    /// The policy; without one nothing is changed or refused (mode Observe).
    #[arg(long, value_name = "FILE", env = "CNI_STEWARD_POLICY")]
    policy: Option<PathBuf>,
    /// Where reviews are taken [default: [::]:9443, or 127.0.0.1:9443 with --standalone].
    #[arg(long, value_name = "ADDR", env = "CNI_STEWARD_LISTEN")]
    listen: Option<SocketAddr>,
    /// Where metrics and probes are served over plain HTTP, or `off`.
    #[arg(long, value_name = "ADDR|off", env = "CNI_STEWARD_TELEMETRY", default_value = "127.0.0.1:9444")]
    telemetry: Telemetry,
    #[command(flatten)]
    trust: TrustArgs,
    #[command(flatten)]
    instance: InstanceArgs,
    /// How long to go on taking connections after SIGTERM, telling clients to go elsewhere [default: 5s, or 1s with
    /// --standalone].
    #[arg(long, value_name = "DURATION", env = "CNI_STEWARD_DRAIN", value_parser = duration)]
    drain: Option<Duration>,
    /// How log lines are written [default: text on a terminal, else json].
    #[arg(long, value_name = "FORMAT", env = "CNI_STEWARD_LOG_FORMAT")]
    log_format: Option<Format>,
    /// Which log lines are written.
    #[arg(long, value_name = "LEVEL", env = "CNI_STEWARD_LOG_LEVEL", default_value = "info")]
    log_level: Verbosity,
}

impl ServeArgs {
    /// Two listeners need two ports. The system would only say that the port is in use, and not that it is by us.
    fn apart(&self) -> anyhow::Result<()> {
        let Telemetry::At(telemetry) = self.telemetry else { return Ok(()) };
        let reviews = self.listen.map_or(PORT, |address| address.port());
        if reviews != 0 && reviews == telemetry.port() {
            bail!(
                "--listen and --telemetry both ask for port {reviews}; expected two ports, or --telemetry off"
            );
        }
        Ok(())
    }
}

/// Threads that read files beside the serving one. Each that ever ran at the same time as others leaves an arena of glibc's
/// behind, of up to 190 KiB; tokio would start 512.
const READERS: usize = 4;

/// Serves until a signal comes.
pub fn run(args: &ServeArgs) -> anyhow::Result<ExitCode> {
    let source = args.trust.source()?;
    let origins = Origins::new(args.policy.clone(), source.clone());
    let policy = policy_from(args.policy.as_deref())?;
    args.apart()?;
    let sink = logs::start(args.log_format, args.log_level).context("cannot start the log thread")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .thread_keep_alive(Duration::from_millis(100))
        .max_blocking_threads(READERS)
        .build()
        .context("cannot start")?;
    let ended = runtime.block_on(serve(args, policy, source, origins, &sink));
    sink.flush(Duration::from_secs(1));
    runtime.shutdown_timeout(Duration::from_millis(100));
    ended
}

async fn serve(
    args: &ServeArgs,
    policy: Policy,
    source: Option<Source>,
    origins: Origins,
    sink: &Sink,
) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::new().context("cannot handle signals")?;
    let front = listen(args.listen, args.trust.standalone).await.context("reviews (--listen)")?;
    let telemetry = match args.telemetry {
        Telemetry::Off => None,
        Telemetry::At(address) => Some(everywhere(address).await.context("telemetry (--telemetry)")?),
    };
    let installation = args.instance.open().await?;
    let loaded = source.as_ref().map(|source| source.load_first(clock::now())).transpose()?;
    loaded.iter().flat_map(|loaded| &loaded.notes).for_each(|note| say(note));

    let metrics = Arc::new(Metrics::new(policy.hash(), policy.mode_name(), sink.dropped()));
    let canary = installation.iter().flat_map(|(_, instance)| instance.canary_dns_names()).collect();
    let slot = Arc::new(tls::CertSlot::with_canary(canary));
    let expires = loaded.map(|loaded| {
        metrics.serve_until(loaded.expires);
        slot.publish(loaded.certified);
        loaded.expires
    });

    let authority = match &source {
        Some(Source::State(state)) => Some(state.authority()),
        _ => None,
    };
    Greeting {
        mode: policy.mode_name(),
        hash: policy.hash(),
        policy: args.policy.as_deref(),
        listen: front.local_addr()?,
        telemetry: telemetry.as_ref().map(TcpListener::local_addr).transpose()?,
        authority: authority.as_deref(),
    }
    .say();

    tracing::info!(
        policy = policy.hash(),
        mode = policy.mode_name(),
        expires = expires.map(tracing::field::display),
        "serving"
    );

    let (lever, drain) = drain::drain();
    let policy = Arc::new(ArcSwap::from_pointee(policy));
    let steward = installation.map(|(cluster, instance)| {
        let keeper = source.is_none().then(|| {
            let TrustArgs { lifetimes, secret, webhooks, .. } = &args.trust;
            let (slot, metrics) = (Arc::clone(&slot), Arc::clone(&metrics));
            Keeper::start(&instance, *lifetimes, secret.as_deref(), webhooks.clone(), slot, metrics)
        });
        Steward::start(cluster, instance, &metrics, Arc::clone(&policy), &drain, keeper)
    });
    let standing = Arc::clone(&metrics.standing);
    let readiness = Readiness { drain: drain.clone(), slot: Arc::clone(&slot), standing };
    let limits = Limits::default();
    let probes = probes::Telemetry { readiness: readiness.clone(), metrics: Arc::clone(&metrics) };
    let served =
        Served { policy: Arc::clone(&policy), slot: Arc::clone(&slot), metrics: Arc::clone(&metrics) };
    let mut desk = Front::new(
        move |body: &[u8]| admission::answer(body, &policy.load(), clock::now()),
        readiness,
        limits,
        Arc::clone(&metrics),
    );
    if let Some(events) = steward.as_ref().map(Steward::events) {
        desk = desk.telling(move |record| of_decision(record).into_iter().for_each(|told| events.say(told)));
    }
    let door = Door::Tls(tls::config(Arc::clone(&slot)).context("cannot set up TLS")?);

    let farewell = drain.clone();
    let reviews = House { door, desk, limits, drain: drain.clone(), metrics: Arc::clone(&metrics) };
    let reviews = listener::serve(front, Arc::new(reviews));
    let telemetry = telemetry.map(|tcp| {
        let house = House { door: Door::Plain, desk: probes, limits, drain, metrics: Arc::clone(&metrics) };
        listener::serve(tcp, Arc::new(house))
    });
    let serving = async {
        let both = async {
            let beside = async {
                if let Some(steward) = steward {
                    steward.run(farewell).await;
                }
            };
            match telemetry {
                Some(telemetry) => tokio::join!(reviews, telemetry, beside).0,
                None => tokio::join!(reviews, beside).0,
            }
        };
        tokio::select! {
            cut = both => cut,
            never = served.keep(origins) => match never {},
        }
    };
    let default = if args.trust.standalone { 1 } else { 5 };
    let lame_duck = args.drain.unwrap_or(Duration::from_secs(default));
    let ended = drain::conduct(&mut signals, &lever, lame_duck, serving).await;
    tracing::info!(?ended, "stopped");
    Ok(match ended {
        Ended::Finished => ExitCode::SUCCESS,
        Ended::Cut(_) | Ended::Hurried => ExitCode::FAILURE,
    })
}
