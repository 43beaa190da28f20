"""Cassandra 5: one node that owns the whole ring."""

import logging
from pathlib import Path

import yaml
from cassandra import DriverException
from cassandra.cluster import NoHostAvailable
from cassandra.protocol import ErrorMessage
from pydantic import SecretStr

from streamgauge.config import Cassandra, Config
from streamgauge.local.servers import jars
from streamgauge.local.servers.credentials import authority, server_pem
from streamgauge.local.servers.service import Service, listens
from streamgauge.local.supervision.home import Home
from streamgauge.store.session import connect

log = logging.getLogger(__name__)

FIRST_USER = "cassandra"
"""The one that a new node has, with its name as password."""
LOGGING = Path(__file__).parents[1] / "logging" / "cassandra.xml"

EXPORTS = [
    "java.base/java.lang.ref",
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.ref",
    "java.base/sun.nio.ch",
    "java.management.rmi/com.sun.jmx.remote.internal.rmi",
    "java.rmi/sun.rmi.registry",
    "java.rmi/sun.rmi.server",
    "java.rmi/sun.rmi.transport.tcp",
    "java.sql/java.sql",
    "jdk.unsupported/sun.misc",
]
OPENS = [
    "java.base/java.io",
    "java.base/java.lang",
    "java.base/java.lang.module",
    "java.base/java.lang.reflect",
    "java.base/java.math",
    "java.base/java.net",
    "java.base/java.nio",
    "java.base/java.util",
    "java.base/java.util.concurrent",
    "java.base/java.util.concurrent.atomic",
    "java.base/jdk.internal.loader",
    "java.base/jdk.internal.math",
    "java.base/jdk.internal.misc",
    "java.base/jdk.internal.module",
    "java.base/jdk.internal.ref",
    "java.base/jdk.internal.reflect",
    "java.base/jdk.internal.util.jar",
    "java.base/sun.nio.ch",
    "jdk.compiler/com.sun.tools.javac.file",
    "jdk.management/com.sun.management.internal",
]


def service(config: Config, home: Home) -> Service:
    """The node."""
    settings_file = home.conf / "cassandra.yaml"
    data = home.data / "cassandra"

    def command() -> list[str]:
        settings = _settings(config, data) | _security(config.cassandra, home)
        settings_file.write_text(yaml.safe_dump(settings, sort_keys=False))
        jamm = next((jars.fetch() / "cassandra").glob("jamm-*.jar"))
        return [
            "java",
            "-Xms512m",
            "-Xmx1g",
            "-Xss512k",
            "-XX:+UseG1GC",
            "-XX:MaxDirectMemorySize=256m",
            "-XX:+ExitOnOutOfMemoryError",
            f"-javaagent:{jamm}",
            *(f"--add-exports={package}=ALL-UNNAMED" for package in EXPORTS),
            *(f"--add-opens={package}=ALL-UNNAMED" for package in OPENS),
            "-Djdk.attach.allowAttachSelf=true",
            "-Dio.netty.tryReflectionSetAccessible=true",
            f"-Djava.io.tmpdir={_made(data / 'tmp')}",
            f"-Dlogback.configurationFile={LOGGING}",
            f"-Dcassandra.config={settings_file.as_uri()}",
            f"-Dcassandra.storagedir={data}",
            "-Dcassandra-foreground=yes",
            # a ring of one has nobody to gossip with
            "-Dcassandra.skip_wait_for_gossip_to_settle=0",
            "-Dcassandra.ring_delay_ms=0",
            "-Dcassandra.superuser_setup_delay_ms=0",
            "-cp",
            jars.class_path("cassandra"),
            "org.apache.cassandra.service.CassandraDaemon",
        ]

    def ready() -> bool:
        return listens(_host(config), config.cassandra.port) and _enrolled(config.cassandra)

    ports = {
        "cassandra.port": config.cassandra.port,
        "local.cassandra_storage_port": config.local.cassandra_storage_port,
    }
    return Service("cassandra", command, ready, ports=ports, grace_s=30)


def _settings(config: Config, data: Path) -> dict[str, object]:
    host = _host(config)
    seeds = f"{host}:{config.local.cassandra_storage_port}"
    return {
        "cluster_name": "streamgauge",
        "num_tokens": 4,
        "partitioner": "org.apache.cassandra.dht.Murmur3Partitioner",
        "endpoint_snitch": "SimpleSnitch",
        "seed_provider": [
            {
                "class_name": "org.apache.cassandra.locator.SimpleSeedProvider",
                "parameters": [{"seeds": seeds}],
            }
        ],
        "listen_address": host,
        "storage_port": config.local.cassandra_storage_port,
        "rpc_address": host,
        "native_transport_port": config.cassandra.port,
        "data_file_directories": [str(data / "data")],
        "commitlog_directory": str(data / "commitlog"),
        "saved_caches_directory": str(data / "saved_caches"),
        "hints_directory": str(data / "hints"),
        # by default it would go on with a disk that fails; as a process that has ended it is seen and started again
        "disk_failure_policy": "die",
        "commit_failure_policy": "die",
        # a write is answered when it is on the disk, with all others of a window: jobs forget what is answered. One
        # machine keeps no more than its disk does, so what must outlive that has cassandra.replication 3
        "commitlog_sync": "group",
        "commitlog_sync_group_window": "10ms",
        # half a segment is the largest mutation
        "commitlog_segment_size": "32MiB",
        "commitlog_total_space": "256MiB",
        "memtable_heap_space": "128MiB",
        "memtable_offheap_space": "128MiB",
        "memtable_allocation_type": "offheap_objects",
        "memtable_flush_writers": 1,
        "concurrent_compactors": 1,
        "concurrent_reads": 8,
        # each write that waits for the disk holds a thread of both kinds
        "concurrent_writes": 64,
        "concurrent_counter_writes": 2,
        "concurrent_materialized_view_writes": 2,
        "key_cache_size": "16MiB",
        "counter_cache_size": "0MiB",
        "file_cache_size": "64MiB",
        "networking_cache_size": "32MiB",
        "native_transport_max_threads": 64,
        "batch_size_warn_threshold": "1MiB",
        "batch_size_fail_threshold": "16MiB",
        "disk_access_mode": "mmap_index_only",
        "auto_snapshot": False,
        "hinted_handoff_enabled": False,
    }


def _security(cassandra: Cassandra, home: Home) -> dict[str, object]:
    """What the node demands of clients, which is what they are configured to give."""
    found: dict[str, object] = {}
    if cassandra.user:
        package = "org.apache.cassandra.auth"
        found |= {
            "authenticator": f"{package}.PasswordAuthenticator",
            "authorizer": f"{package}.CassandraAuthorizer",
            "role_manager": f"{package}.CassandraRoleManager",
        }
    if cassandra.tls:
        found["client_encryption_options"] = {
            "enabled": True,
            "optional": False,
            "require_client_auth": cassandra.tls.cert_file is not None,
            "keystore": str(server_pem(home)),
            "truststore": str(authority(home)),
            "ssl_context_factory": {"class_name": "org.apache.cassandra.security.PEMBasedSslContextFactory"},
        }
    return found


def _enrolled(cassandra: Cassandra) -> bool:
    """Whether the node lets the configured user in; if it has only the user that a new node has, both change places."""
    if not cassandra.user or _run(cassandra):
        return True
    name, password = cassandra.user.replace('"', '""'), cassandra.secret().replace("'", "''")
    role = f"\"{name}\" WITH PASSWORD = '{password}' AND SUPERUSER = true AND LOGIN = true"
    first = cassandra.model_copy(
        update={"user": FIRST_USER, "password": SecretStr(FIRST_USER), "password_file": None}
    )
    if cassandra.user == FIRST_USER:
        return _run(first, f"ALTER ROLE \"{name}\" WITH PASSWORD = '{password}'")
    return _run(first, f"CREATE ROLE {role}") and _run(cassandra, f"DROP ROLE {FIRST_USER}")


def _run(cassandra: Cassandra, *statements: str) -> bool:
    """Whether the node lets a user in, and does what the user wants."""
    try:
        session = connect(cassandra, keyspace=False)
    except NoHostAvailable:
        return False
    try:
        for statement in statements:
            session.execute(statement)
    except (DriverException, ErrorMessage, NoHostAvailable) as error:
        log.warning("cassandra has refused: error=%s", error)
        return False
    finally:
        session.cluster.shutdown()
    return True


def _host(config: Config) -> str:
    return config.cassandra.hosts[0]


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
