"""How many decisions a second does training a scheduler make, from simulation to gradient?

    python benchmarks/rl_throughput.py [--repeats 3] [--decisions 65536]

Windows of 512 jobs of the first 60 % of HPC2N's time under textbook EASY, requested times, every
way on the same ones, in turns. Baseline: MaskablePPO of sb3-contrib as its documentation starts
it, on one Gymnasium environment. Compiling and what is done once are not counted. Seconds are the
processor's (other work on the machine counts less); the clock's stand beside them.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
import warnings
from pathlib import Path

import numba
import numpy as np
import torch
from sb3_contrib import MaskablePPO

from headway.history import open_traces, tasks_of
from headway.schedule.network import network_of, smallest_area_first
from headway.schedule.siblings import nobody
from headway.simulate.batch import Batch
from headway.simulate.env import QueueEnv
from headway.simulate.episode import EASY, advance, choose, episode_of, may_start
from headway.simulate.generated import requested_course
from headway.simulate.play import play
from headway.simulate.promises import promises_of
from headway.simulate.workload import workload_from
from headway.train.dqn import train_dqn
from headway.train.ppo import train_ppo
from headway.train.vec_env import QueueVecEnv

TRACE = "scheduling/swf/HPC2N-2002-2.2-cln.swf.gz"
JOBS, MANY = 512, 64
SINGLE = 4096  # decisions of Stable-Baselines3 on one environment


@numba.njit(nogil=True)
def first_that_may(jobs, siblings, total_procs):
    """Decisions of a simulation in which the first that may start goes next."""
    promises = promises_of(np.empty(0), np.inf, total_procs)
    episode = episode_of(jobs, siblings, promises, total_procs, EASY)
    decisions = 0
    while advance(episode):
        place = 0
        while not may_start(episode, place):
            place += 1
        choose(episode, place)
        decisions += 1
    return decisions


def course():
    """Windows of the first 60 % of the time."""
    path = Path(os.environ.get("HEADWAY_DATA", "../shared/data")) / TRACE
    tasks, facts = tasks_of(open_traces([path]), lambda what, share: None)
    jobs = workload_from(tasks, facts[0].zero_s, int(facts[0].total_cpus))
    share = (jobs.submit_s - jobs.submit_s[0]) / (jobs.submit_s[-1] - jobs.submit_s[0])
    return requested_course(jobs.part(0, int(np.searchsorted(share, 0.6))), JOBS)


def ways(whole, decisions):
    """What is measured, by name: functions that give how many decisions they made."""
    part, _ = whole.window(0, 100_000)
    few = [whole.__class__(whole.jobs, whole.siblings, whole.total_procs, whole.windows[::40])]
    judged = [whole.__class__(whole.jobs, whole.siblings, whole.total_procs, whole.windows[:1])]
    batch = Batch(few, MANY, JOBS, EASY, 0)
    batch.reset()
    single, many = QueueEnv(few, JOBS), QueueVecEnv(few, MANY, JOBS)
    network = network_of(smallest_area_first())

    def step():
        for _ in range(decisions // MANY):
            batch.step(np.zeros(MANY, np.int64))
        return decisions

    def learner(train):
        """Training from the first to the last decision, without what is done once before."""
        told = []

        def goes_on(share):
            told.append((share, time.process_time(), time.perf_counter()))
            return True

        train(few, judged, JOBS, mode=EASY, decisions=2 * decisions, seed=0, progress=goes_on)
        began = told[0]
        return (
            round((told[-1][0] - began[0]) * 2 * decisions),
            told[-1][1] - began[1],
            told[-1][2] - began[2],
        )

    def sb3(env, steps, n_steps):
        model = MaskablePPO("MultiInputPolicy", env, n_steps=n_steps, seed=0, device="cpu")

        def run():
            model.learn(steps, reset_num_timesteps=False)
            return steps

        return run

    return {
        "kernel, without observations": lambda: first_that_may(part, nobody(), 240),
        "kernel, scored by the network": lambda: play(part, nobody(), 0, 240, EASY, network)[1],
        "64 simulations, observed": step,
        "PPO of Headway, end to end": lambda: learner(train_ppo),
        "DQN of Headway, end to end": lambda: learner(train_dqn),
        "MaskablePPO of SB3, one environment": sb3(single, SINGLE, 2048),
        "MaskablePPO of SB3, 64 in one call": sb3(many, 8192, 128),
    }


def main():
    """The table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--decisions", type=int, default=65_536)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    every = ways(course(), asked.decisions)
    speeds = {name: [] for name in every}
    for repeat in range(asked.repeats + 1):
        for name, way in every.items():
            began = time.process_time(), time.perf_counter()
            made = way()
            took = time.process_time() - began[0], time.perf_counter() - began[1]
            made, *took = made if isinstance(made, tuple) else (made, *took)
            if repeat:  # the first compiles
                speeds[name].append([made / took[0], made / took[1]])
    print("| what | decisions a CPU s | least to most | decisions a second on the clock |")
    print("|---|---|---|---|")
    for name, pairs in speeds.items():
        cpu, clock = zip(*pairs, strict=True)
        print(
            f"| {name} | {statistics.median(cpu):,.0f} | {min(cpu):,.0f} to {max(cpu):,.0f} | "
            f"{statistics.median(clock):,.0f} |"
        )


if __name__ == "__main__":
    main()
