"""A client that asks again and again beside what may harm it."""

import threading
import time

from wire import Connection


class Watch(threading.Thread):
    """Asks again and again, and keeps the longest answer; a connection that is closed or an answer that is late is a fault."""

    def __init__(self, address, size, pause):
        super().__init__(daemon=True)
        self.address, self.size, self.pause = address, size, pause
        self.longest, self.count, self.fault, self.over = 0.0, 0, None, False

    def run(self):
        try:
            with Connection(self.address, timeout=60) as connection:
                while not self.over:
                    began = time.monotonic()
                    # What follows the last field is ignored: a large frame that costs the broker nothing but its bytes.
                    connection.ask(18, 0, b"\0" * self.size)
                    self.longest = max(self.longest, time.monotonic() - began)
                    self.count += 1
                    time.sleep(self.pause)
        except Exception as error:
            self.fault = f"{type(error).__name__}: {error}"
