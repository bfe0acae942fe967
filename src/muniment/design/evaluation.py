"""Evaluates the six principles of secure design on a model: arguments in, results out."""

import datetime

from muniment.design.findings import PrincipleResult
from muniment.design.friction import check_friction
from muniment.design.graph import DesignGraph
from muniment.design.layering import check_layers
from muniment.design.least_privilege import check_least_privilege
from muniment.design.mediation import check_complete_mediation
from muniment.design.model import DesignModel
from muniment.design.secure_failure import check_secure_failure
from muniment.design.separation import check_separation


def evaluate_design(model: DesignModel, today: datetime.date) -> tuple[PrincipleResult, ...]:
    """Results of the six principles, in the order in which policies name them."""
    graph = DesignGraph(model)
    return (
        check_least_privilege(model, today),
        check_separation(model),
        check_complete_mediation(model, graph),
        check_layers(model, graph),
        check_secure_failure(model, graph),
        check_friction(model, today),
    )
