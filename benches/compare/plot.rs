//! CPU per review over size, both axes logarithmic, as SVG: one line a row.

use std::fmt::Write as _;

use crate::report::human;
use crate::rounds::Column;
use crate::scenario::SCENARIOS;

const COLOURS: [&str; 9] =
    ["#888888", "#1b9e77", "#66a61e", "#7570b3", "#d95f02", "#e6ab02", "#a6761d", "#00add8", "#b7410e"];
const LEFT: f64 = 70.0;
const TOP: f64 = 20.0;
const WIDE: f64 = 520.0;
const HIGH: f64 = 380.0;

/// The plot.
pub fn svg(columns: &[Column]) -> String {
    let sizes: Vec<usize> = columns.iter().map(|column| column.ask.size).collect();
    let costs =
        || columns.iter().flat_map(|column| column.rows.iter().flatten()).map(|cost| cost.micros.max(1.0));
    let (low, high) = (costs().fold(f64::MAX, f64::min) * 0.8, costs().fold(1.0, f64::max) * 1.25);
    let (first, last) = (sizes[0] as f64, sizes[sizes.len() - 1] as f64);
    let x = |size: usize| LEFT + WIDE * (size as f64 / first).ln() / (last / first).ln();
    let y = |micros: f64| TOP + HIGH * (1.0 - (micros.max(1.0) / low).ln() / (high / low).ln());
    let mut out = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 900 450\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"900\" height=\"450\" fill=\"white\"/>\n",
    );
    let mut tick = 1.0;
    while tick <= high {
        if tick >= low {
            let at = y(tick);
            let text =
                if tick < 1000.0 { format!("{tick:.0} µs") } else { format!("{:.0} ms", tick / 1000.0) };
            writeln!(out, "<path d=\"M{LEFT} {at:.1}h{WIDE}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 6.0, at + 4.0).unwrap();
        }
        tick *= 10.0;
    }
    for &size in &sizes {
        writeln!(
            out,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x(size),
            TOP + HIGH + 18.0,
            human(size)
        )
        .unwrap();
    }
    writeln!(
        out,
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">size of the review; CPU per review</text>",
        LEFT + WIDE / 2.0,
        TOP + HIGH + 38.0
    )
    .unwrap();
    for (place, scenario) in SCENARIOS.iter().enumerate() {
        let colour = COLOURS[place % COLOURS.len()];
        let points: Vec<String> = columns
            .iter()
            .filter_map(|column| Some((x(column.ask.size), y(column.rows[place]?.micros))))
            .map(|(x, y)| format!("{x:.1},{y:.1}"))
            .collect();
        let key = TOP + 14.0 + 20.0 * place as f64;
        writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            points.join(" ")
        )
        .unwrap();
        writeln!(out, "<path d=\"M610 {:.1}h18\" stroke=\"{colour}\" stroke-width=\"3\"/><text x=\"634\" y=\"{key:.1}\">{}</text>", key - 4.0, scenario.name.replace('`', "")).unwrap();
    }
    out.push_str("</svg>\n");
    out
}
