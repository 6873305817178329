"""Particles spread over devices and processes, in processes of their own, since JAX fixes its devices at the start."""

import contextlib
import json
import os
import socket
import subprocess
import sys

import numpy as np
import pytest

import isthmus as im

SOLVE = """
import json, sys
import isthmus as im
data = im.load_data("digits", max_points=48)
problem = im.Problem(data, im.aligned_law(data, 2))
def solve(devices, **options):
    path = im.solve_mean_field(problem, [0.0, 2.0, 8.0], particles=64, replicates=2, devices=devices, **options)
    return [*path.replicate_risk.ravel(), *path.encoder.incoming[:3, :3].ravel().tolist()]
"""
JOIN = """
import sys, jax
jax.distributed.initialize(f"127.0.0.1:{sys.argv[1]}", 2, int(sys.argv[2]), heartbeat_timeout_seconds=10)
"""
OPTIONS = [{}, {"integrator": "low_memory", "rtol": 1e-5}]


def environment(devices):
    kept = {key: value for key, value in os.environ.items() if key != "XLA_FLAGS"}
    return kept | {"XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}", "JAX_PLATFORMS": "cpu"}


@pytest.fixture(scope="module")
def alone():
    namespace = {}
    exec(SOLVE, namespace)
    return [namespace["solve"](None, **options) for options in OPTIONS]


@pytest.mark.slow
def test_four_devices_agree_with_one_to_rounding(alone):
    code = SOLVE + f"print(json.dumps([[solve(n, **o) for o in {OPTIONS}] for n in (2, 4)]))"
    run = subprocess.run([sys.executable, "-c", code], env=environment(4), capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    for spread in json.loads(run.stdout):
        for numbers, expected in zip(spread, alone, strict=True):
            np.testing.assert_allclose(numbers, expected, rtol=1e-9, atol=1e-10)


@contextlib.contextmanager
def two_processes(code):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    options = {"env": environment(1), "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", code, port, str(rank)], **options) for rank in range(2)]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.communicate()


@pytest.mark.slow
def test_two_processes_agree_with_one_to_rounding(alone):
    code = JOIN + SOLVE + f"print(json.dumps([solve(2, **o) for o in {OPTIONS}]))"
    with two_processes(code) as processes:
        for process in processes:
            out, err = process.communicate(timeout=300)
            assert process.returncode == 0, err[-2000:]
            for numbers, expected in zip(json.loads(out.strip().splitlines()[-1]), alone, strict=True):
                np.testing.assert_allclose(numbers, expected, rtol=1e-9, atol=1e-10)


@pytest.mark.slow
def test_a_lost_peer_ends_in_an_error_and_not_in_silence():
    code = JOIN + SOLVE + "solve(2)\nprint('ready', flush=True)\nwhile True: solve(2)"
    with two_processes(code) as (left, lost):
        for process in (left, lost):
            assert process.stdout is not None
            while "ready" not in (line := process.stdout.readline()):
                assert line or process.poll() is None
        lost.kill()
        _, err = left.communicate(timeout=120)
        assert left.returncode != 0
        assert err.strip()


def test_the_number_of_devices_is_checked():
    data = im.load_data("digits", max_points=48)
    problem = im.Problem(data, im.aligned_law(data, 2))
    with pytest.raises(im.ArgumentError, match="'devices' must be at most the number of devices 1, but it is 2"):
        im.solve_mean_field(problem, [1.0], particles=64, devices=2)
    with pytest.raises(im.ArgumentError, match="'devices' must be an integer of at least 1"):
        im.solve_mean_field(problem, [1.0], particles=64, devices=0)
