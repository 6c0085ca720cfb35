"""From a NIR graph to a ChipNetwork, as passes that can be looked at one by one.

flatten_graph      nested graphs, shapes, loops                 hw_models.graph
fold_linear        chains of linear nodes become one projection hw_models.compiler.fold_linear
find_populations   neurons, readouts, and what drives them      hw_models.compiler.populations
choose_scale       integer units a volt, a population           hw_models.compiler.choose_scale
quantize           integers and registers, with their errors    hw_models.compiler.quantize
"""

from hw_models.compiler.compile import Compiled, compile_graph

__all__ = ["Compiled", "compile_graph"]
