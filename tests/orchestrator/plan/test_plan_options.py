"""Numbers that nobody's hardware has are refused before anything is planned."""

import sys

import pytest
from small_sweep import write

from orchestrator.cli import main

NUMBERS = ("--decode-ms", "--gpu-tflops", "--gpus", "--utilisation")


@pytest.fixture
def refused(tmp_path, monkeypatch, capsys):
    """What `apollo COMMAND` says of a sweep with these options; it must be bad input."""
    sweep = write(tmp_path)

    def call(command, *options):
        words = ["apollo", command, str(sweep), "--store", str(tmp_path / "store"), *options]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as stopped:
            main()
        assert stopped.value.code == 2
        assert not (tmp_path / "store").exists()
        told = capsys.readouterr()
        assert told.out == ""
        assert "Traceback" not in told.err
        return told.err

    return call


@pytest.mark.parametrize("option", NUMBERS)
@pytest.mark.parametrize("value", ["inf", "-inf", "nan", "0", "-3", "1e300"])
def test_a_number_that_is_not_finite_or_not_positive_is_refused_by_its_option(
    refused, option, value
):
    assert option in refused("plan", f"{option}={value}")


@pytest.mark.parametrize("command", ["plan", "run"])
@pytest.mark.parametrize("value", ["0GB", "-5GB", "0.1B", "80", "inf", "9e99PB", "9" * 400 + "B"])
def test_a_gpu_without_memory_or_with_more_than_there_is_is_refused(refused, command, value):
    told = refused(command, f"--gpu-memory={value}")
    assert told.startswith("apollo: --gpu-memory: ")
    assert told.count("\n") == 1
