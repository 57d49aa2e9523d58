//! How long rows of the ledger are kept: LiteLLM's keys in `general_settings`.

use std::time::Duration;

use tollgate_policy::window::Window;

use super::model::Retention;
use super::section::Section;

const PERIOD: &str = "maximum_spend_logs_retention_period";
const INTERVAL: &str = "maximum_spend_logs_retention_interval";
const DAY: u64 = 86_400;
/// Budgets that begin to count within an hour look at its rows.
const LEAST: Duration = Duration::from_secs(3_600);

pub fn read(section: &Section<'_, '_>) -> Retention {
    let keep = duration(section, PERIOD);
    if keep.is_some_and(|keep| keep < LEAST)
        && let Some(entry) = section.entry(PERIOD)
    {
        let path = section.path_of(PERIOD);
        section.cx.warning(entry.node.at, &path, "rows are kept for an hour at least", "write 1h or more");
    }
    let standard = Retention::default();
    Retention {
        keep: keep.map(|keep| keep.max(LEAST)),
        look_every: duration(section, INTERVAL).unwrap_or(standard.look_every),
    }
}

/// `30s`, `12h`, `7d`, `1mo`; a month has 30 days.
fn duration(section: &Section<'_, '_>, key: &str) -> Option<Duration> {
    let text = section.text(key)?;
    let seconds = match Window::from_duration(&text) {
        Ok(Window::Day) => DAY,
        Ok(Window::Week) => 7 * DAY,
        Ok(Window::Month) => 30 * DAY,
        Ok(Window::Every(seconds)) => seconds,
        _ => {
            let at = section.entry(key).map_or(section.at, |entry| entry.node.at);
            let hint = "write a number with s, m, h, d, w or mo";
            section.cx.error(at, &section.path_of(key), format!("`{text}` is no duration such as 12h or 30d"), hint);
            return None;
        }
    };
    Some(Duration::from_secs(seconds))
}
