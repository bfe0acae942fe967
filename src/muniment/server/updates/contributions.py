"""Contributions of the updates."""

from muniment.server.acts.system_actors import SystemActor
from muniment.server.registration import AppContributions
from muniment.server.updates.advisory_facts import AdvisorySupplier, describe_advisory_state
from muniment.server.updates.matching_acts import ReadDependencies, StoreMatching

CONTRIBUTIONS = AppContributions(
    acts=(ReadDependencies,),
    system_acts={SystemActor.DEPENDENCY_SCAN: (StoreMatching,)},
    fact_suppliers=(AdvisorySupplier(),),
    fact_states=(describe_advisory_state,),
)
