"""Which folders are watched: laid anew when others matter, given up where that cannot be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from anyio.abc import TaskGroup

from devloop.events import Notice
from devloop.watch.notify import BackEnd, Lost, NotifyUnavailable, Put
from devloop.watch.tree import Tree

TRIES = 5
"""How often folders may come and go while they are laid, before that is given up."""


class Laying:
    """Keeps the watches on the folders that matter.

    Args:
        tree: says which these are.
        tasks: where watching runs.
        back_end: what notifies.
        put: takes events.
        lost: told that events were lost.
        thread: works on the tree, in a thread and alone.
        reload: reads everything anew, because a folder has vanished meanwhile.
        notice: takes what a person should know.
    """

    def __init__(
        self,
        tree: Tree,
        tasks: TaskGroup,
        back_end: BackEnd,
        *,
        put: Put,
        lost: Lost,
        thread: Callable[[Callable[[], set[str]]], Awaitable[set[str]]],
        reload: Callable[[], set[str]],
        notice: Callable[[Notice], None],
    ) -> None:
        self.polling: str | None = None
        """Why files are polled, as the end of a sentence; None where the system notifies."""

        self.notifier = back_end(tasks, put, lost)
        self._tree = tree
        self._thread = thread
        self._reload = reload
        self._notice = notice

    async def lay(self) -> None:
        """Watch all folders that matter; where that cannot be, `polling` says why."""
        tree = self._tree
        for _ in range(TRIES):
            tree.moved, renewed, tree.renewed = False, tree.renewed, False
            folders = await self._thread(tree.attended)
            if self.polling is not None:
                return
            tops = [tree.places.place(top) for top in tree.places.tops]
            try:
                await self.notifier.lay(folders, tops, anew=renewed)
            except NotifyUnavailable as failure:
                self.give_up(failure)
            except OSError:  # a folder has vanished, or may not be read any more
                await self._thread(self._reload)
                tree.renewed = True
                continue
            return
        self.give_up(NotifyUnavailable("folders come and go faster than they can be watched"))

    def give_up(self, failure: NotifyUnavailable) -> None:
        """Poll from now on.

        Args:
            failure: why.
        """
        self.polling = failure.message
        self.notifier.close()
        self._notice(
            Notice(
                message=f"Files are polled, because {failure.message}.",
                severity="warning",
                hint=failure.hint,
            )
        )
