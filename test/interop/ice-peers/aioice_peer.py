"""aioice as an ICE peer, driven by lines of JSON on stdin: see test/support/ice-peer.ts."""

import asyncio
import json
import sys

import aioice
import aioice.ice

config = json.loads(sys.argv[1])
# aioice never takes loopback addresses, and here there may be no others.
aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: [config["address"]]


def tell(**event):
    print(json.dumps(event), flush=True)


def make_connection():
    turn = config.get("turn")
    policy = aioice.TransportPolicy.RELAY if turn else aioice.TransportPolicy.ALL
    connection = aioice.Connection(
        ice_controlling=config["role"] == "controlling",
        use_ipv6=False,
        transport_policy=policy,
        turn_server=(turn["host"], turn["port"]) if turn else None,
        turn_username=turn["username"] if turn else None,
        turn_password=turn["password"] if turn else None,
        turn_transport=turn["transport"] if turn else "udp",
    )
    connection.remote_is_lite = config.get("remoteLite", False)
    return connection


async def echo(connection):
    while True:
        data = await connection.recv()
        tell(event="data", text=data.decode(errors="replace"))
        await connection.send(b"echo " + data)


async def connect(connection):
    try:
        await connection.connect()
    except ConnectionError as error:
        tell(event="state", state="failed", reason=str(error))
        return
    tell(event="state", state="connected")
    try:
        await echo(connection)
    except ConnectionError:
        tell(event="state", state="failed", reason="lost")


async def describe(connection):
    await connection.gather_candidates()
    tell(event="description", ufrag=connection.local_username, pwd=connection.local_password)
    for candidate in connection.local_candidates:
        tell(event="candidate", candidate="candidate:" + candidate.to_sdp())
    tell(event="gathered")


async def main():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=2**20)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    connection = make_connection()
    await describe(connection)
    tasks = []
    connections = [connection]
    while line := await reader.readline():
        command = json.loads(line)
        name = command["command"]
        if name == "remote":
            connection.remote_username = command["ufrag"]
            connection.remote_password = command["pwd"]
            tasks.append(asyncio.ensure_future(connect(connection)))
        elif name == "candidate":
            candidate = aioice.Candidate.from_sdp(command["candidate"].replace("candidate:", ""))
            await connection.add_remote_candidate(candidate)
        elif name == "end":
            await connection.add_remote_candidate(None)
        elif name == "restart":
            # aioice knows no restart: another connection takes over, and the old one answers until the end.
            connection = make_connection()
            connections.append(connection)
            await describe(connection)
    for task in tasks:
        task.cancel()
    for connection in connections:
        await connection.close()


asyncio.run(main())
