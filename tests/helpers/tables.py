"""What tests ask of every table of the report."""

from lookbook.reporting.formatting import Table


def list_without_columns(table: Table) -> list[str]:
    """List the headings of figures that no column of the CSV belongs to; refuse columns of headings that are not."""
    figures = table.header[table.labels :]
    assert set(table.heading_of.values()) <= set(figures), table.name
    owned = {heading for column, heading in table.heading_of.items() if column in table.frame.columns}
    return [heading for heading in figures if heading not in owned]
