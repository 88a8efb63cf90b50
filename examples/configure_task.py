"""Find cheap cores and nodes for a recurring task that must end within a minute and a half.

The task is made up: 100 seconds on one core of a slow node, sped up by cores as c ** 0.8. The
optimiser knows the prices and the deadline, not that law.
"""

from headway.predict.configure import Configuration, Configurer, Run

PRICE_CORE_HOUR = {"slow": 0.10, "fast": 0.12, "dear": 0.40}
SPEED = {"slow": 1.0, "fast": 0.6, "dear": 0.5}


def run(configuration: Configuration) -> Run:
    """What the task takes with a configuration."""
    seconds = 100.0 * SPEED[configuration.node] / configuration.cpus**0.8
    return Run(configuration=configuration, input_bytes=1e9, runtime_s=seconds)


def main() -> None:
    """Try what is suggested until nothing more is expected to be saved."""
    candidates = [
        Configuration(node=node, cpus=cpus, price_hour=price * cpus)
        for node, price in PRICE_CORE_HOUR.items()
        for cpus in (1.0, 2.0, 4.0)
    ]
    tuner = Configurer(candidates, deadline_s=90.0)
    for _ in range(12):
        suggestion = tuner.suggest(input_bytes=1e9)[0]
        if suggestion.is_final:
            break
        tuner.learn(run(suggestion.configuration))
    best = tuner.best(input_bytes=1e9)
    print("best:", best.configuration)
    print(f"a run costs about {best.expected_cost:.4f} and takes {best.runtime_s:.0f} s")
    print("misses the deadline in less than 10 %:", best.miss_probability < 0.1)
    print("ended before all nine were tried:", suggestion.is_final)


if __name__ == "__main__":
    main()
