//! Tables, drawn as wide as they need to be and no wider than the terminal.

use comfy_table::{ContentArrangement, ContentLineStyle, LineStyle, Table, TableStyle};

/// Lines around everything, and one under the header.
const BOXED: TableStyle = TableStyle::new()
    .top_border(LineStyle::new('┌', '─', '┬', '┐'))
    .header_lines(ContentLineStyle::new('│', '│', '│'))
    .header_separator(LineStyle::new('├', '─', '┼', '┤'))
    .content_lines(ContentLineStyle::new('│', '│', '│'))
    .bottom_border(LineStyle::new('└', '─', '┴', '┘'));

/// Draws a table under its title, as `kage secret list` shows one.
pub(crate) fn titled(title: &str, table: &Table) -> String {
    format!("{title}\n{}\n{table}", "=".repeat(title.chars().count()))
}

/// Makes an empty table with a header, no wider than the terminal has room for.
pub(crate) fn new(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(BOXED);
    table.set_header(header.to_vec());
    if let Some(columns) = super::columns() {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(columns);
    }
    table
}
