"""A decision and its plan as JSON: the answer of explain, nothing called."""

from typing import Any

from policies import Decision


def explained(decision: Decision) -> dict[str, Any]:
    """A decision and its plan as JSON."""
    return {
        "decision": {
            "router": decision.router,
            "route_id": decision.route_id,
            "variant_id": decision.variant_id,
            "model": decision.model,
            "sticky": decision.sticky,
            "unit": decision.unit,
            "bucket": decision.bucket,
            "propensity": decision.propensity,
            "reason": decision.reason.value,
            "experiment": decision.experiment,
            "conditions": [
                {"route_id": one.route_id, "expression": one.expression, "matched": one.matched, "error": one.error}
                for one in decision.conditions
            ],
        },
        "plan": [
            {"model": one.target.name, "provider": one.target.provider, "skipped": one.skipped}
            for one in decision.plan.candidates
        ],
    }
