"""The service discoveries of Prometheus that are accepted, named and skipped."""

from typing import Any

from pynomaly.model.document import Section

_Skipped = list[dict[str, Any]] | None


class SkippedDiscovery(Section):
    """Their keys, so that a misspelt one is told from one that is not supported."""

    aws_sd_configs: _Skipped = None
    azure_sd_configs: _Skipped = None
    consul_sd_configs: _Skipped = None
    digitalocean_sd_configs: _Skipped = None
    dns_sd_configs: _Skipped = None
    docker_sd_configs: _Skipped = None
    dockerswarm_sd_configs: _Skipped = None
    ec2_sd_configs: _Skipped = None
    eureka_sd_configs: _Skipped = None
    gce_sd_configs: _Skipped = None
    hetzner_sd_configs: _Skipped = None
    ionos_sd_configs: _Skipped = None
    kubernetes_sd_configs: _Skipped = None
    kuma_sd_configs: _Skipped = None
    lightsail_sd_configs: _Skipped = None
    linode_sd_configs: _Skipped = None
    marathon_sd_configs: _Skipped = None
    nerve_sd_configs: _Skipped = None
    nomad_sd_configs: _Skipped = None
    oci_sd_configs: _Skipped = None
    openstack_sd_configs: _Skipped = None
    outscale_sd_configs: _Skipped = None
    ovhcloud_sd_configs: _Skipped = None
    puppetdb_sd_configs: _Skipped = None
    scaleway_sd_configs: _Skipped = None
    serverset_sd_configs: _Skipped = None
    stackit_sd_configs: _Skipped = None
    triton_sd_configs: _Skipped = None
    uyuni_sd_configs: _Skipped = None
    vultr_sd_configs: _Skipped = None


def skipped_of(section: SkippedDiscovery) -> list[str]:
    """The keys among them that a section uses."""
    return [name for name in SkippedDiscovery.model_fields if getattr(section, name)]
