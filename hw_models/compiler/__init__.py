"""From a NIR graph to a ChipNetwork, as passes that can be looked at one by one.

flatten_graph      nested graphs, shapes, loops                 dalif_deploy.hw_models.graph
append_node        chains of linear nodes become one projection dalif_deploy.hw_models.compiler.fold_linear
find_populations   neurons, readouts, and what drives them      dalif_deploy.hw_models.compiler.populations
calibrate          ranges and messages on sample data           dalif_deploy.hw_models.compiler.calibration
scale_problem      what bounds a population's scale             dalif_deploy.hw_models.compiler.scale_problem
choose_scale       integer units a membrane unit                dalif_deploy.hw_models.compiler.choose_scale
quantize           integers and registers, with their errors    dalif_deploy.hw_models.compiler.quantize
"""

from .compile import Compiled, compile_graph
from .scale_problem import ScaleRule

__all__ = ["Compiled", "ScaleRule", "compile_graph"]
