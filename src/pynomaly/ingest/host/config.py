"""Settings of the host metrics."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from pynomaly.model.document import Section


def _regex(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
    return pattern


Pattern = Annotated[str, AfterValidator(_regex)]


class HostSection(Section):
    """What of the host is measured. The exclusions are node_exporter's own defaults."""

    enabled: bool = Field(default=True, description="Measure the host at all.")
    mount_points_exclude: Pattern = Field(
        default=r"^/(dev|proc|run/credentials/.+|sys|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)",
        description="Mount points that are left out.",
    )
    filesystem_types_exclude: Pattern = Field(
        default=r"^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|erofs|fusectl"
        r"|hugetlbfs|iso9660|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs"
        r"|selinuxfs|squashfs|sysfs|tracefs)$",
        description="File systems that are not on a disk.",
    )
    disks_exclude: Pattern = Field(
        default=r"^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$",
        description="Block devices that are left out: partitions and those in memory.",
    )
    networks_exclude: Pattern = Field(
        default=r"^$", description="Network interfaces that are left out."
    )
