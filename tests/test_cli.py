"""The command line: the demo reaches its target, says what it did, and fails readably."""

import sys

import numpy as np
import pytest

pytest.importorskip("typer")
pytest.importorskip("rich")
pytest.importorskip("tqdm")

import bpnet
from bpnet.cli import app, terminal
from bpnet.datasets import two_spirals
from rich.console import Console
from typer.testing import CliRunner

HALF_BLOCK = "▀"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `bpnet ...` in an empty folder on a terminal of 80 columns without colours."""
    monkeypatch.chdir(tmp_path)
    for name in ("FORCE_COLOR", "COLORTERM", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    runner = CliRunner()
    return lambda *arguments: runner.invoke(app, [str(argument) for argument in arguments])


def without(monkeypatch, package):
    """Makes `import package` fail as if it were not installed."""
    monkeypatch.setitem(sys.modules, package, None)


def accuracy_of(result):
    """The accuracy on the unseen points that the demo printed, as a fraction."""
    (row,) = [line for line in result.stdout.splitlines() if line.startswith("unseen")]
    return float(row.split()[-1].rstrip("%")) / 100


def test_demo_reaches_99_percent_and_writes_the_picture(run, tmp_path):
    pytest.importorskip("matplotlib")
    result = run("demo")
    assert result.exit_code == 0, result.output
    assert accuracy_of(result) >= 0.99
    assert "194 training points, 1536 unseen points" in result.stdout
    picture = [line for line in result.stdout.splitlines() if line and set(line) <= set(".#")]
    assert len(picture) == 30 and {len(line) for line in picture} == {60}
    assert str(tmp_path / "bpnet-demo.png") in result.stdout
    assert (tmp_path / "bpnet-demo.png").read_bytes().startswith(b"\x89PNG")


def test_demo_shows_its_progress(run):
    result = run("demo", "--no-plot", "--epochs", 20)
    assert "100%|" in result.stderr


def test_demo_reaches_99_percent_in_under_10_seconds(run):
    result = run("demo", "--no-plot", "--threads", 1, "--seed", 12345)
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stdout.splitlines() if "in all" in line]
    assert float(line.split()[-4]) < 10


def test_demo_is_the_same_for_the_same_seed(run):
    first, second, other = (run("demo", "--no-plot", "--epochs", 30, "--seed", seed).stdout for seed in (3, 3, 4))

    def untimed(text):
        return [line for line in text.splitlines() if "in all" not in line]

    assert untimed(first) == untimed(second)
    assert untimed(first) != untimed(other)


def test_a_missed_target_is_a_failure(run, tmp_path):
    result = run("demo", "--epochs", 1, "--no-plot", "--hidden", "4")
    assert result.exit_code == 1
    assert "missed the target: 99%" in result.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("hidden", "sizes"), [("8", "2-8-1"), ("8, 4,3", "2-8-4-3-1"), ("", "2-1")])
def test_hidden_layers_are_as_told(run, hidden, sizes):
    assert f"network {sizes}," in run("demo", "--epochs", 1, "--no-plot", "--hidden", hidden).stdout


@pytest.mark.parametrize("hidden", ["a", "8,", "8,0", "-3", "1.5"])
def test_a_bad_hidden_is_refused(run, hidden):
    result = run("demo", f"--hidden={hidden}")
    assert result.exit_code == 2
    assert "--hidden" in result.stderr and "32,32" in result.stderr


def test_without_matplotlib_the_demo_says_how_to_get_it(run, monkeypatch, tmp_path):
    without(monkeypatch, "matplotlib")
    result = run("demo")
    assert result.exit_code == 0, result.output
    assert "matplotlib is not installed; `pip install 'bpnet[plot]'`" in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_output_names_the_picture(run, tmp_path):
    pytest.importorskip("matplotlib")
    result = run("demo", "--epochs", 1, "--output", "spirals.svg")
    assert str(tmp_path / "spirals.svg") in result.stdout
    assert "<svg" in (tmp_path / "spirals.svg").read_text()


def test_a_missing_folder_is_noticed_before_the_training(run, tmp_path):
    result = run("demo", "--output", tmp_path / "nowhere" / "a.png")
    assert result.exit_code == 2
    assert "there is no folder" in result.stderr and "%|" not in result.stderr


def test_a_picture_that_cannot_be_written_is_a_failure(run):
    pytest.importorskip("matplotlib")
    result = run("demo", "--output", "spirals.nonsense")
    assert result.exit_code == 1
    assert accuracy_of(result) >= 0.99
    assert "could not write spirals.nonsense" in result.stdout


def test_a_colour_terminal_gets_half_blocks(run, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.setenv("TERM", "xterm-256color")
    output = run("demo", "--epochs", 1, "--no-plot").stdout
    assert output.count(HALF_BLOCK) == 60 * 30
    assert "\x1b[38;2;" in output


def test_no_color_is_obeyed(run, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    assert HALF_BLOCK not in run("demo", "--epochs", 1, "--no-plot").stdout


def test_a_narrow_terminal_gets_a_small_picture(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "31")
    output = run("demo", "--epochs", 1, "--no-plot").stdout
    picture = [line for line in output.splitlines() if line and set(line) <= set(".#")]
    assert len(picture) == 15 and {len(line) for line in picture} == {30}


def test_version(run):
    result = run("--version")
    assert result.exit_code == 0
    assert result.stdout.strip() == f"bpnet {bpnet.__version__}"


def test_config(run):
    result = run("config")
    assert result.exit_code == 0
    assert bpnet.__version__ in result.stdout and bpnet.get_config()["isa"] in result.stdout


def test_no_command_prints_the_help(run):
    assert "demo" in run().output


class TestTerminal:
    def test_letters(self):
        assert terminal.letters(np.array([[0.1, 0.9], [0.5, 0.6]])) == ".#\n.#"

    def test_shade_goes_from_blue_over_white_to_orange(self):
        low, middle, high, unknown = terminal.shade(np.array([0.0, 0.5, 1.0, np.nan])).astype(int)
        assert low[2] > low[0] and high[0] > high[2]
        assert min(middle) > 200 and np.array_equal(middle, unknown)

    def test_half_blocks_put_the_even_rows_on_top(self):
        image = np.array([[[1, 2, 3]], [[4, 5, 6]]], dtype=np.uint8)
        text = terminal.half_blocks(image)
        assert text.plain == HALF_BLOCK + "\n"
        style = text.spans[0].style
        assert tuple(style.color.triplet) == (1, 2, 3) and tuple(style.bgcolor.triplet) == (4, 5, 6)

    def test_field_marks_the_points(self, capsys):
        console = Console(force_terminal=True, color_system="truecolor", width=10, legacy_windows=False)
        if not terminal.in_colour(console):
            pytest.skip("standard output cannot show half blocks")
        terminal.field(console, np.zeros((4, 4)), np.array([[0, 0]]), np.array([1.0]))
        red, green, blue = terminal.POINT[1]
        assert f"38;2;{red};{green};{blue}" in capsys.readouterr().out


class TestTwoSpirals:
    def test_are_the_194_points_of_the_formula(self):
        x, y = two_spirals(dtype="float64")
        assert x.shape == (194, 2) and y.sum() == 97
        for i in range(97):
            radius, angle = 6.5 * (104 - i) / 104, i * np.pi / 16
            np.testing.assert_allclose(x[i], [radius * np.sin(angle), radius * np.cos(angle)], rtol=1e-14, atol=1e-14)
        assert np.array_equal(x[97:], -x[:97])
        assert np.all(y[:97] == 1) and np.all(y[97:] == 0)

    def test_the_demo_has_not_seen_the_points_it_is_judged_on(self):
        x, _ = two_spirals(dtype="float64")
        unseen, _ = two_spirals(768, start=1 / 16, stop=96 - 1 / 16, dtype="float64")
        distance = np.linalg.norm(unseen[:, None] - x[None], axis=2).min(axis=1)
        assert distance.min() > 5e-3 and distance.max() > 0.5  # neighbours on a spiral are 0.1 (middle) to 1.3 apart

    @pytest.mark.parametrize("options", [{"n": 0}, {"start": -1}, {"stop": 97}, {"start": 5, "stop": 4}])
    def test_refuses_what_the_formula_does_not_cover(self, options):
        with pytest.raises(ValueError, match=next(iter(options))):
            two_spirals(**options)


class TestPlotting:
    @pytest.fixture
    def net(self):
        return bpnet.Network([2, 3, 1], activation="tanh", output_activation="sigmoid", seed=0)

    def test_missing_matplotlib_says_how_to_get_it(self, net, monkeypatch):
        from bpnet import plotting

        without(monkeypatch, "matplotlib")
        with pytest.raises(ImportError, match=r"pip install 'bpnet\[plot\]'"):
            plotting.decision_regions(net, np.zeros((3, 2)))

    def test_importing_does_not_import_matplotlib(self):
        import subprocess

        code = "import sys, bpnet.plotting; sys.exit('matplotlib' in sys.modules)"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_on_grid_starts_at_the_upper_left(self, net):
        from bpnet import plotting

        p = plotting.on_grid(net, (0, 0), (4, 4), 4)
        np.testing.assert_allclose(p[0, 0], net.predict(np.array([0.5, 3.5], dtype=net.dtype))[0], rtol=1e-6)
        np.testing.assert_allclose(p[3, 1], net.predict(np.array([1.5, 0.5], dtype=net.dtype))[0], rtol=1e-6)

    def test_draws_on_the_axes_given_and_on_its_own(self, net, tmp_path):
        pytest.importorskip("matplotlib")
        from bpnet import plotting

        x, y = two_spirals()
        history = net.fit(x, y, epochs=3)
        axes = plotting.decision_regions(net, x, y, resolution=20)
        assert plotting.decision_regions(net, x, ax=axes, resolution=20) is axes
        curve = plotting.learning_curve(history)
        assert curve is not axes and [line.get_label() for line in curve.lines] == ["training"]
        curve.figure.savefig(tmp_path / "curve.png")

    def test_refuses_other_than_two_inputs(self):
        from bpnet import plotting

        with pytest.raises(ValueError, match="3 inputs and 1 outputs"):
            plotting.decision_regions(bpnet.Network([3, 1], seed=0), np.zeros((4, 3)))
