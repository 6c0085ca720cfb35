"""Engine "nir": the exported NIR graph by the float reference, in float64."""

from __future__ import annotations

from dalif_deploy.simulation.engines.engine import Engine, EngineRun


class NirEngine(Engine):
    """The exported NIR graph, stepped by the float reference."""

    name, about, arithmetic = "nir", "the float graph, stepped by the float reference", "float64"

    def prepare(self) -> None:
        """See Engine."""
        from dalif_deploy.hw_models.graph.decision_rule import DecisionReader
        from dalif_deploy.hw_models.graph.flat_graph import flatten_graph

        self.graph, self.dt = flatten_graph(self.artefact.reference), self.artefact.dt
        self.decision = DecisionReader(self.graph, self.dt)
        self.steps = self.steps or self.artefact.steps

    def chunk_size(self, samples: int) -> int:
        """Small enough to keep every membrane of a chunk in memory."""
        return min(samples, 256)

    def run(self, samples: slice, record: tuple[str, ...]) -> EngineRun:
        """See Engine."""
        from dalif_deploy.hw_models.reference import run_reference
        from dalif_deploy.hw_models.samples.input_data import take_samples

        kept = tuple({*record, *self.decision.needs})
        run = run_reference(self.graph, take_samples(self.data, samples), dt=self.dt, steps=self.steps, record=kept)
        spikes, membrane = (getattr(run, kind) if kind in record else {} for kind in ("spikes", "membrane"))
        return EngineRun(self.decision(run.outputs, run.spikes, run.membrane, run.current), spikes, membrane)
