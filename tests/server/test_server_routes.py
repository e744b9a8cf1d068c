"""The product as it is assembled: no route that asks nobody."""

from pathlib import Path

from pynomaly.access.routes import unguarded_routes
from pynomaly.model.clock import SystemClock
from pynomaly.server.sections import Configuration
from pynomaly.server.service import Service


async def test_every_route_of_both_ports_asks_for_a_permission(tmp_path: Path) -> None:
    server = {"api_port": 0, "web_port": 0, "data_dir": tmp_path}
    configuration = Configuration.model_validate({"server": server})
    service = Service(configuration, lambda: configuration, SystemClock())
    try:
        await service.start(lambda _: None)
        api, web = service.applications()
        assert unguarded_routes(api) == []
        assert unguarded_routes(web) == []
    finally:
        await service.stop()
