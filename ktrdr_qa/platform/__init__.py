"""How KTRDR is reached: `client` asks, `exchange` is what came of it, `readings` what KTRDR's answers mean.

It uses the target, and judges nothing. A field of KTRDR's that nobody read so far goes into `readings`; what can confirm
KTRDR's word (a worker, a process, a log) into `witnesses` or `compose`; what an error tells its reader into `refusals`.
"""
