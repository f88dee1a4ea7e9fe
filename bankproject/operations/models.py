from django.db import models


class ScheduledJob(models.Model):
    """When a job of `scheduling.JOBS` is due, who runs it, and how it last ended. One row serves all machines.

    `running_until` is a lease: the scheduler that runs the job moves it forward; once it is past, that scheduler is
    gone, with its machine, and another may run the job. `claim` is that scheduler's own.
    """

    name = models.CharField(max_length=40, primary_key=True)
    next_at = models.DateTimeField()
    running_until = models.DateTimeField(null=True)
    claim = models.UUIDField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    succeeded_at = models.DateTimeField(null=True)
    failures = models.PositiveIntegerField(default=0)  # since it last succeeded

    def __str__(self) -> str:
        return self.name
