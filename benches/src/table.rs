//! The table: every scenario on every runtime, in turns.

use std::fmt::Write as _;

use crate::column::Column;
use crate::load::LOADS;
use crate::runtimes::{REFERENCE, RUNTIMES};

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    rounds: usize,
    /// Counts are divided by this.
    divisor: u32,
}

/// For numbers that are shown to others.
pub(crate) const FULL: Effort = Effort { rounds: 7, divisor: 1 };

/// To see where one is.
pub(crate) const QUICK: Effort = Effort { rounds: 3, divisor: 10 };

/// Measures what has one of `names` in its name, or all, and prints a row as soon as it is there.
///
/// A row's runtimes take turns, each round beginning with another one: what else goes on at the machine
/// meets them all. Cells are medians, and in brackets the ratio to the reference's.
pub(crate) fn print(names: &[&str], effort: Effort) {
    let columns = Column::all();
    println!("{}", heading(&columns));
    let asked = |name: &str| names.is_empty() || names.iter().any(|part| name.contains(part));

    for (name, unit, count) in local().into_iter().filter(|(name, ..)| asked(name)) {
        // Scenarios that work in tens of thousands get one of them.
        let count = if name == "gather-10000" { count } else { count / effort.divisor };
        let measure = |column: &Column| column.measure(name, count);
        println!("{}", row(name, unit, &columns, effort.rounds, measure));
    }
    for load in LOADS.iter().filter(|load| asked(load.name)) {
        let count = load.count / effort.divisor;
        let measure = |column: &Column| column.serve(load, count);
        println!("{}", row(load.name, "ns of CPU", &columns, effort.rounds, measure));
    }
    for load in LOADS.iter().filter(|load| asked(load.name)) {
        // Traced, a call takes some ten times as long; but the number of calls hardly varies.
        let count = load.count / effort.divisor / 8;
        let measure = |column: &Column| column.calls(load, count);
        println!("{}", row(load.name, "calls", &columns, 1, measure));
    }
}

/// Name, unit and count of all scenarios that any runtime has, in order.
fn local() -> Vec<(&'static str, &'static str, u32)> {
    let mut scenarios: Vec<(&str, &str, u32)> = Vec::new();
    for scenario in RUNTIMES.iter().flat_map(|runtime| runtime.scenarios()) {
        if scenarios.iter().all(|(name, ..)| *name != scenario.name) {
            scenarios.push((scenario.name, scenario.unit, scenario.count));
        }
    }
    scenarios
}

fn heading(columns: &[Column]) -> String {
    let mut text = format!("| {:<18} | {:<9} |", "", "unit");
    let mut line = format!("|{:-<20}|{:-<11}|", "", "");
    for column in columns {
        let _ = write!(text, " {:>15} |", column.name); // a string takes all that is written
        line.push_str("----------------:|");
    }
    format!("{text}\n{line}")
}

fn row(
    name: &str,
    unit: &str,
    columns: &[Column],
    rounds: usize,
    measure: impl Fn(&Column) -> Option<f64>,
) -> String {
    let mut measured = vec![Vec::new(); columns.len()];
    for round in 0..rounds {
        for turn in 0..columns.len() {
            let index = (round + turn) % columns.len();
            if columns[index].has(name) {
                measured[index].extend(measure(&columns[index]));
            }
        }
    }

    let medians: Vec<Option<f64>> = measured.into_iter().map(median).collect();
    let reference = columns.iter().position(|column| column.name == REFERENCE);
    let reference = reference.and_then(|index| medians[index]);
    let mut text = format!("| {name:<18} | {unit:<9} |");
    for median in &medians {
        let _ = write!(text, " {:>15} |", cell(*median, reference)); // as above
    }
    text
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn cell(median: Option<f64>, reference: Option<f64>) -> String {
    let Some(median) = median else { return String::new() };
    let digits = if median < 100.0 { 2 } else { 0 };
    match reference {
        Some(reference) => format!("{median:.digits$} ({:.2})", median / reference),
        None => format!("{median:.digits$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_a_median_and_a_ratio() {
        assert_eq!(cell(median(vec![3.0, 1.0, 2.0]), Some(4.0)), "2.00 (0.50)");
        assert_eq!(cell(median(vec![300.0]), None), "300");
        assert_eq!(cell(median(Vec::new()), Some(4.0)), "");
    }
}
