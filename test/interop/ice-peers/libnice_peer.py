"""libnice as an ICE peer, driven by lines of JSON on stdin: see test/support/ice-peer.ts."""

import ctypes
import json
import sys

import gi

gi.require_version("Nice", "0.1")
from gi.repository import GLib, Nice  # noqa: E402

config = json.loads(sys.argv[1])
library = ctypes.CDLL("libnice.so.10")
receive_type = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p
)
STATES = {2: "connecting", 3: "connected", 4: "ready", 5: "failed"}


def tell(**event):
    print(json.dumps(event), flush=True)


def on_receive(_agent, stream, component, length, buffer, _data):
    data = ctypes.string_at(buffer, length)
    tell(event="data", text=data.decode(errors="replace"))
    reply = b"echo " + data
    library.nice_agent_send(ctypes.c_void_p(hash(agent)), stream, component, len(reply), reply)


def describe():
    _ok, ufrag, pwd = agent.get_local_credentials(stream)
    tell(event="description", ufrag=ufrag, pwd=pwd)


def tell_candidates():
    for candidate in agent.get_local_candidates(stream, 1):
        sdp = agent.generate_local_candidate_sdp(candidate)
        tell(event="candidate", candidate=sdp.replace("a=", "", 1))
    tell(event="gathered")


def on_command(line):
    command = json.loads(line)
    name = command["command"]
    if name == "remote":
        agent.set_remote_credentials(stream, command["ufrag"], command["pwd"])
    elif name == "candidate":
        candidate = agent.parse_remote_candidate_sdp(stream, "a=" + command["candidate"])
        if candidate is not None:
            agent.set_remote_candidates(stream, 1, [candidate])
    elif name == "end":
        agent.peer_candidate_gathering_done(stream)
    elif name == "restart":
        agent.restart_stream(stream)
        describe()
        tell_candidates()


def on_stdin(channel, _condition):
    line = channel.readline()
    if line == "":
        loop.quit()
        return False
    on_command(line)
    return True


loop = GLib.MainLoop()
flags = Nice.AgentOption.REGULAR_NOMINATION | Nice.AgentOption.CONSENT_FRESHNESS
if config.get("lite"):
    flags |= Nice.AgentOption.LITE_MODE
agent = Nice.Agent.new_full(GLib.MainContext.default(), Nice.Compatibility.RFC5245, flags)
agent.props.controlling_mode = config["role"] == "controlling"
agent.props.upnp = False
agent.props.ice_tcp = False
address = Nice.Address.new()
address.set_from_string(config["address"])
agent.add_local_address(address)
stream = agent.add_stream(1)
turn = config.get("turn")
if turn:
    kind = Nice.RelayType.TCP if turn["transport"] == "tcp" else Nice.RelayType.UDP
    agent.props.force_relay = True
    agent.set_relay_info(stream, 1, turn["host"], turn["port"], turn["username"], turn["password"], kind)
agent.connect("component-state-changed", lambda _agent, _stream, _component, state: tell_state(state))
agent.connect("candidate-gathering-done", lambda _agent, _stream: (describe(), tell_candidates()))


def tell_state(state):
    if int(state) in STATES:
        tell(event="state", state=STATES[int(state)])


receive = receive_type(on_receive)
library.nice_agent_attach_recv(
    ctypes.c_void_p(hash(agent)), stream, 1, ctypes.c_void_p(hash(GLib.MainContext.default())), receive, None
)
agent.gather_candidates(stream)
channel = GLib.IOChannel.unix_new(sys.stdin.fileno())
GLib.io_add_watch(channel, GLib.PRIORITY_DEFAULT, GLib.IOCondition.IN | GLib.IOCondition.HUP, on_stdin)
loop.run()
