"""The settings with which a broker begins."""

from pathlib import Path

import pytest

from backstay.ocf.errors import Misconfigured, NotInstalled
from backstay.services.rabbitmq import settings
from backstay.services.rabbitmq.dialects import dialect_for
from backstay.services.rabbitmq.launch import additional_settings


class TestSettings:
    def fragment(self, version="3.10.8", nodes=3, join=(), theirs="", definitions=""):
        return settings.fragment(
            dialect_for(version), nodes, 60, 100, "rabbit@n3", join, definitions, "quorum", theirs
        ).splitlines()

    def test_partition_handling_fits_the_number_of_nodes(self):
        assert "cluster_partition_handling = ignore" in self.fragment(nodes=2)
        assert "cluster_partition_handling = pause_minority" in self.fragment(nodes=3)
        assert not any("partition" in line for line in self.fragment("4.3.6"))
        assert "cluster_partition_handling = pause_minority" in self.fragment("4.1.0")

    def test_a_joiner_never_gives_up_to_go_on_alone(self):
        lines = self.fragment(join=["rabbit@n1"])
        assert not any("rabbit@n3" in line for line in lines)  # itself
        assert "cluster_formation.classic_config.nodes.1 = rabbit@n3" in self.fragment()
        assert f"cluster_formation.discovery_retry_limit = {settings.FOREVER}" in lines
        assert "cluster_formation.classic_config.nodes.1 = rabbit@n1" in lines

    def test_the_wait_for_others_ends_inside_the_start(self):
        lines = dict(line.partition(" = ")[::2] for line in self.fragment())
        each = int(lines["mnesia_table_loading_retry_timeout"]) / 1000
        assert each * int(lines["mnesia_table_loading_retry_limit"]) <= 100

    def test_the_admins_level_of_connection_logs_stays(self):
        assert "log.connection.level = warning" in self.fragment()
        assert not any(line.startswith("log.") for line in self.fragment(theirs="x = 1\nlog.connection.level = info\n"))

    def test_quorum_is_the_default_where_mirrors_are_gone(self):
        assert "default_queue_type = quorum" in self.fragment("4.2.1")
        assert not any("queue_type" in line for line in self.fragment("3.13.7"))

    def test_mirrors_are_refused_where_they_are_gone(self):
        assert dialect_for("3.10.8").default_mirroring("") == "all"
        assert dialect_for("4.3.6").default_mirroring("") == "none"
        with pytest.raises(Misconfigured, match=r"RabbitMQ 4\.3\.6 has no mirrored queues"):
            dialect_for("4.3.6").default_mirroring("all")

    def test_khepri_cannot_be_forced(self, tmp_path):
        (tmp_path / "schema.DAT").touch()
        assert dialect_for("3.13.7").can_force(str(tmp_path)) and dialect_for("4.1.1").can_force(str(tmp_path))
        assert not dialect_for("4.2.0").can_force(str(tmp_path))

    def test_what_is_too_old_is_named(self):
        with pytest.raises(NotInstalled, match=r"3\.6\.10 is not supported"):
            dialect_for("3.6.10")


def test_of_conf_d_is_read_what_the_broker_reads(tmp_path: Path) -> None:
    theirs = tmp_path / "conf.d"
    assert additional_settings(str(tmp_path / "rabbitmq.conf")) == []
    theirs.mkdir()
    for name in ("50-mem.conf", "10-net.conf", "50-mem.conf~", "README", ".60-hidden.conf", "70-old.conf.dpkg-old"):
        (theirs / name).write_text("heartbeat = 5\n")
    (theirs / "80-directory.conf").mkdir()
    found = additional_settings(str(tmp_path / "rabbitmq.conf"))
    assert found == [str(theirs / name) for name in (".60-hidden.conf", "10-net.conf", "50-mem.conf")]
