"""Can the course run here, and if not, what mends it?

Each room has functions that look at one thing and yield `Finding`s; `examine` calls them one after the other.
"""

from ..errors import TLCourseError
from . import data, downloads, installation, kept, kernels, machine, variables
from .finding import Finding

__all__ = ["Finding", "examine"]

LOOKS = (
    *(
        installation.course,
        installation.python,
        installation.tensorflow,
        installation.onnxruntime,
        installation.packages,
    ),
    *(
        machine.memory,
        machine.disk,
        machine.temporary_files,
        machine.home,
        machine.clock,
        variables.variables,
    ),
    *(
        kept.cache,
        kept.other_files,
        kept.cached_files,
        kept.killed_runs,
        kept.progress,
        kept.results,
        kernels.kernel,
    ),
    *(data.bundled, data.packs, data.datasets, data.minilm, data.networks),
    *(downloads.packs, downloads.half_done, downloads.proxies),
)


def examine(network: bool = False) -> list[Finding]:
    """Look at everything; does not start TensorFlow, and touches the network nowhere unless `network` says so."""
    findings: list[Finding] = []
    for look in (*LOOKS, *([downloads.hosts] if network else [])):
        try:
            findings += look()
        except ImportError as error:
            cause = f"could not be examined, because {error.name or error} cannot be imported; see above"
            findings.append(Finding(look.__name__, "missing", cause))
        except (
            TLCourseError
        ) as error:  # a setting that several of them read, and each refuses: said once
            if str(error) not in {finding.text for finding in findings}:
                findings.append(Finding(look.__name__, "broken", str(error)))
    return findings
