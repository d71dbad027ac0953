"""`dev hard-bound` prints the bound beside policies, and writes the report."""

from sre_autopilot.cli.dev.hard_bound import command


def test_command_prints_a_line_a_name_and_writes_the_method(capsys, tmp_path):
    report = tmp_path / "reports" / "bound.md"
    command(seeds=3, first_seed=7, out=report)
    printed, written = capsys.readouterr().out, report.read_text(encoding="ascii")
    for name in ("oracle", "bound", "belief", "runbook"):
        assert name in printed
    assert "information relaxation" in written
