"""What the environment says about Sentinel and Cluster."""

from __future__ import annotations

import pytest
import redis
import redis.asyncio

from src.errors import ConfigurationInvalid
from src.utils.redis_cluster_refusal import ClusterUnsupported
from src.utils.redis_pools import make_async_client, make_client
from src.utils.redis_sentinel import load_sentinel_settings
from src.utils.redis_settings import load_redis_settings


def test_no_hosts_means_no_sentinel() -> None:
    assert load_sentinel_settings({}) is None


def test_reads_addresses_service_and_who_authenticates() -> None:
    settings = load_sentinel_settings(
        {
            "REDIS_SENTINEL_HOSTS": "one:26380, two ,[::1]:26381,[::2]",
            "REDIS_SENTINEL_SERVICE": "autobot",
            "REDIS_SENTINEL_USERNAME": "agents",
            "REDIS_SENTINEL_PASSWORD": "word",
        }
    )
    assert settings is not None
    assert settings.addresses == (("one", 26380), ("two", 26379), ("::1", 26381), ("::2", 26379))
    assert settings.service == "autobot"
    assert settings.credentials is not None
    assert settings.credentials.get_credentials() == ("agents", "word")
    assert "word" not in repr(settings)


@pytest.mark.parametrize("hosts", ["one:", ":26379", "one:port", "one:0", "one:65536", "[]:1"])
def test_refuses_what_is_no_address(hosts: str) -> None:
    with pytest.raises(ConfigurationInvalid, match="not host:port"):
        load_sentinel_settings({"REDIS_SENTINEL_HOSTS": hosts})


def test_refuses_a_service_without_hosts() -> None:
    with pytest.raises(ConfigurationInvalid, match="REDIS_SENTINEL_HOSTS is not"):
        load_sentinel_settings({"REDIS_SENTINEL_SERVICE": "autobot"})


def test_refuses_a_cluster_and_says_why() -> None:
    with pytest.raises(ClusterUnsupported, match="only database 0"):
        load_redis_settings(environment={"REDIS_CLUSTER": "1"})
    assert load_redis_settings(environment={"REDIS_CLUSTER": "0"}).sentinel is None


@pytest.mark.parametrize("tls", ["0", "1"])
def test_pools_behind_sentinel_keep_bound_and_tls(tls: str) -> None:
    settings = load_redis_settings(
        environment={"REDIS_SENTINEL_HOSTS": "one", "REDIS_TLS": tls, "REDIS_MAX_CONNECTIONS": "3"}
    )
    for make in (make_client, make_async_client):
        pool = make(settings, settings.entry("sessions"), True, {}).connection_pool
        assert pool.max_connections == 3
        assert issubclass(pool.connection_class, redis.SSLConnection | redis.asyncio.SSLConnection) == (
            tls == "1"
        )
