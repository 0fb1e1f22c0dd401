//! The rounds: every server is asked the same, one after the other, there and back again, so that what disturbs the
//! machine disturbs all of them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::load::{Line, Manner, Request};
use crate::process::Server;
use crate::scenario::{FLOOR_ROW, Place, Requests, SCENARIOS, Scenario, Servers, Who};

/// What all reviews in flight may take together. A server lends 16 MiB to all bodies, the last eighth to small ones only, and
/// over it answers 503 by design,
/// so large reviews get fewer connections.
const IN_FLIGHT: usize = 12 << 20;

/// One way of asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ask {
    pub size: usize,
    pub connections: usize,
    pub manner: Manner,
}

impl Ask {
    /// With as many of `connections` as fit.
    pub fn new(size: usize, connections: usize, manner: Manner) -> Self {
        Self { size, connections: connections.min((IN_FLIGHT / size).max(1)), manner }
    }
}

/// What one row costs when asked in one way.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// CPU per review in µs, the median of the rounds.
    pub micros: f64,
    /// To the floor of the same round, the median of the rounds.
    pub ratio: f64,
    /// The middle half of the rounds' ratios.
    pub spread: (f64, f64),
    /// Time of one review as the client saw it.
    pub p50: Duration,
    pub p99: Duration,
}

/// All rows for one way of asking; `None` where a peer is not there.
#[derive(Debug, Clone)]
pub struct Column {
    pub ask: Ask,
    pub rows: Vec<Option<Cost>>,
}

/// How long to look.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    pub rounds: usize,
    /// Of one row in one round.
    pub span: Duration,
}

/// One server being asked in one way.
struct Row<'s> {
    server: &'s Server,
    request: Request,
    /// Which of the lines: rows of one server share its connections, or it would see more than it takes.
    line: usize,
    reviews: usize,
    /// When a round is over although they are not: the machine may have become busy since they were counted.
    limit: Duration,
    costs: Vec<(f64, f64)>,
    times: Vec<Duration>,
}

impl Row<'_> {
    fn ask(&self, place: &Place, lines: &mut [Line], ask: Ask, reviews: usize) -> Vec<Duration> {
        match ask.manner {
            Manner::Kept => place.caller.over(&mut lines[self.line], &self.request, reviews, self.limit),
            Manner::New => {
                place.caller.anew(self.server.address, &self.request, ask.connections, reviews, self.limit)
            }
        }
    }

    /// CPU per review in µs, and the times.
    fn measure(&self, place: &Place, lines: &mut [Line], ask: Ask) -> (f64, Vec<Duration>) {
        let before = self.server.cpu();
        let times = self.ask(place, lines, ask, self.reviews);
        let spent = self.server.cpu().saturating_sub(before);
        (spent as f64 / 1e3 / times.len() as f64, times)
    }
}

/// All rows, asked in one way.
pub fn column(place: &Place, servers: &Servers, requests: &mut Requests, ask: Ask, pace: Pace) -> Column {
    column_of(place, servers, requests, ask, pace, Which { rows: |_| true, back: false })
}

/// The rows of a column that are asked, and from which end the first round goes.
#[derive(Clone, Copy)]
struct Which {
    rows: fn(&Scenario) -> bool,
    back: bool,
}

fn column_of(
    place: &Place,
    servers: &Servers,
    requests: &mut Requests,
    ask: Ask,
    pace: Pace,
    which: Which,
) -> Column {
    let kept = if ask.manner == Manner::Kept { ask.connections } else { 0 };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    let mut lines: Vec<Line> = Vec::new();
    let mut rows: Vec<Option<Row<'_>>> = SCENARIOS
        .iter()
        .map(|scenario| {
            let server = servers.of(scenario.who).filter(|_| (which.rows)(scenario))?;
            let line = addresses.iter().position(|known| *known == server.address).unwrap_or_else(|| {
                addresses.push(server.address);
                lines.push(place.caller.open(server.address, kept));
                lines.len() - 1
            });
            let request = requests.get(scenario.story, ask.size);
            let mut row = Row {
                server,
                request,
                line,
                reviews: 0,
                limit: pace.span * 2,
                costs: Vec::new(),
                times: Vec::new(),
            };
            let warm = if ask.size > 500_000 { 2 } else { 64 }.max(ask.connections);
            let begin = Instant::now();
            let warmed = row.ask(place, &mut lines, ask, warm).len();
            let each = begin.elapsed().as_secs_f64() / warmed as f64;
            row.reviews = ((pace.span.as_secs_f64() / each) as usize).max(ask.connections).max(2);
            Some(row)
        })
        .collect();
    for round in 0..pace.rounds {
        let mut measured: Vec<(usize, f64)> = Vec::new();
        let there: Vec<usize> = (0..rows.len()).collect();
        let order: Vec<usize> =
            if (round % 2 == 0) == which.back { there.into_iter().rev().collect() } else { there };
        for at in order {
            let Some(row) = rows[at].as_mut() else { continue };
            let (micros, times) = row.measure(place, &mut lines, ask);
            row.times.extend(times);
            measured.push((at, micros));
        }
        let floor = measured.iter().find(|(at, _)| *at == FLOOR_ROW).unwrap().1;
        for (at, micros) in measured {
            rows[at].as_mut().unwrap().costs.push((micros, micros / floor));
        }
    }
    let rows = rows.into_iter().map(|row| row.map(summary)).collect();
    Column { ask, rows }
}

fn summary(mut row: Row<'_>) -> Cost {
    row.times.sort_unstable();
    let last = row.times.len() - 1;
    let time = |share: f64| row.times[((row.times.len() as f64 * share) as usize).min(last)];
    let ratios: Vec<f64> = row.costs.iter().map(|(_, ratio)| *ratio).collect();
    Cost {
        micros: quantile(row.costs.iter().map(|(micros, _)| *micros), 0.5),
        ratio: quantile(ratios.iter().copied(), 0.5),
        spread: (quantile(ratios.iter().copied(), 0.25), quantile(ratios.iter().copied(), 0.75)),
        p50: time(0.5),
        p99: time(0.99),
    }
}

/// The value below which `share` of them lie.
pub fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values.get(((values.len().max(1) - 1) as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// The mean of the middle half: as deaf to a disturbed round as the median, and steadier.
fn mean_of_the_middle(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let quarter = values.len() / 4;
    let middle = &values[quarter..values.len() - quarter];
    middle.iter().sum::<f64>() / middle.len() as f64
}

/// How cost grows with size: µs per MiB.
#[derive(Debug, Clone, Copy)]
pub struct Slope {
    /// From 0.1 to 1 MiB.
    pub small: f64,
    /// From 1 to 6 MiB.
    pub large: f64,
}

impl Slope {
    /// How much dearer a MiB is where there are many.
    pub fn ratio(self) -> f64 {
        self.large / self.small
    }
}

/// How one row grows.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// All that the server spends.
    pub whole: Slope,
    /// What it spends over the floor of the same round. The floor grows too: 6 MiB are in no second-level cache.
    pub over_floor: Slope,
}

/// The sizes between which growth is looked at.
const SIZES: [usize; 3] = [(1 << 20) / 10, 1 << 20, 6 << 20];

/// All rows' growth, sizes interleaved within each round, with the same two connections at every size.
///
/// It is a difference of differences, so what disturbs one row must not disturb another: every other round goes back, and the peers,
/// which take ten times as long and leave caches and collectors busy behind them, have rounds and a floor of their own.
pub fn growth(place: &Place, servers: &Servers, requests: &mut Requests, pace: Pace) -> Vec<Option<Growth>> {
    let mut rounds = |rows: fn(&Scenario) -> bool, count: usize| {
        let mut seen: Vec<[Vec<f64>; 3]> = SCENARIOS.iter().map(|_| Default::default()).collect();
        for round in 0..count {
            for (at, size) in SIZES.into_iter().enumerate() {
                let (pace, which) = (Pace { rounds: 1, ..pace }, Which { rows, back: round % 2 == 1 });
                let ask = Ask::new(size, 2, Manner::Kept);
                let column = column_of(place, servers, requests, ask, pace, which);
                for (row, cost) in seen.iter_mut().zip(column.rows) {
                    row[at].extend(cost.map(|cost| cost.micros));
                }
            }
        }
        grown(&seen)
    };
    let ours = rounds(|scenario| !scenario.who.is_peer(), pace.rounds);
    let peers =
        rounds(|scenario| scenario.who.is_peer() || scenario.who == Who::Floor, pace.rounds.div_ceil(4));
    ours.into_iter().zip(peers).map(|(ours, peer)| ours.or(peer)).collect()
}

/// What grows from size to size in the rows that were asked.
fn grown(seen: &[[Vec<f64>; 3]]) -> Vec<Option<Growth>> {
    let slope = |costs: [Vec<f64>; 3]| {
        let [low, middle, high] = costs.map(mean_of_the_middle);
        let slope = |from: f64, to: f64, bytes: usize| (to - from) / bytes as f64 * f64::from(1 << 20);
        Slope {
            small: slope(low, middle, SIZES[1] - SIZES[0]),
            large: slope(middle, high, SIZES[2] - SIZES[1]),
        }
    };
    let floor = &seen[FLOOR_ROW];
    let over = |row: &[Vec<f64>; 3]| {
        std::array::from_fn(|at| row[at].iter().zip(&floor[at]).map(|(row, floor)| row - floor).collect())
    };
    let grown = |row: &[Vec<f64>; 3]| Growth { whole: slope(row.clone()), over_floor: slope(over(row)) };
    seen.iter().map(|row| (!row[0].is_empty()).then(|| grown(row))).collect()
}
