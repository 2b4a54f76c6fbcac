//! Figures, and how they are shown.

use std::io::Write;

/// A list of figures.
#[derive(Debug, Default)]
pub struct Table(Vec<Row>);

#[derive(Debug)]
struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    /// What it may be at most.
    limit: Option<f64>,
    note: String,
}

impl Table {
    /// Adds a figure that is to stay below a limit.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        limit: f64,
        note: impl Into<String>,
    ) {
        self.0.push(Row { name: name.into(), value, unit, limit: Some(limit), note: note.into() });
    }

    /// Adds a figure without a limit.
    pub fn tell(&mut self, name: impl Into<String>, value: f64, unit: &'static str, note: impl Into<String>) {
        self.0.push(Row { name: name.into(), value, unit, limit: None, note: note.into() });
    }

    /// Prints it as Markdown, for people and for the README alike.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn print(&self) -> std::io::Result<()> {
        let mut out = std::io::stdout().lock();
        writeln!(out, "| {:<52} | {:>10} | {:>10} | {:>6} | note", "measured", "value", "at most", "share")?;
        writeln!(out, "| {:-<52} | {:->10} | {:->10} | {:->6} | ----", "", "", "", "")?;
        for row in &self.0 {
            let value = shown(row.value, row.unit);
            let limit = row.limit.map(|limit| shown(limit, row.unit)).unwrap_or_default();
            let share = row.limit.map(|limit| format!("{:.0} %", row.value / limit * 100.0)).unwrap_or_default();
            writeln!(out, "| {:<52} | {value:>10} | {limit:>10} | {share:>6} | {}", row.name, row.note)?;
        }
        writeln!(out)
    }
}

fn shown(value: f64, unit: &str) -> String {
    let digits = if value.abs() >= 100.0 {
        0
    } else if value.abs() >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.digits$} {unit}")
}

/// The value below which this share of the values lies.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    sorted.get((last as f64 * share).round() as usize).copied().unwrap_or_default()
}

/// The value in the middle.
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_where_they_should() {
        let values: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!((median(&values), quantile(&values, 0.99), quantile(&values, 1.0)), (50.0, 99.0, 100.0));
        assert_eq!((median(&[3.0]), median(&[])), (3.0, 0.0));
    }
}
