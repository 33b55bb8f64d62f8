import { readCrash } from './crash/crash.ts'
import { exitCodeOf } from './ending/exit-code.ts'
import { Gate } from './gate/gate.ts'
import { yieldToOthers } from './priority.ts'
import { Question } from './look-up/question.ts'
import { limitRate } from './rate/limit-rate.ts'
import { snapshotCrash, subjectOf } from './crash/snapshot.ts'
import type { Outcome, Task } from './task.ts'
import { randomUuid } from './uuid.ts'

/** One crash: from fd 0 to a bundle under its final name. */
export async function compose(task: Task): Promise<Outcome> {
  // who crashed: everything that vanishes with the process, before its first byte is read
  const crash = readCrash(task.args, task.problems)
  const snapshot = await snapshotCrash(crash, task)
  const rate = limitRate(crash, snapshot, task)
  if (rate.take === 'nothing') return leaveAlone(rate.reason, task)

  const gate = new Gate(task)
  const question = new Question(subjectOf(crash, snapshot), task)
  try {
    // one crash of many: wait for a turn, before anything more is loaded
    await gate.toDrain()
    await task.source.begin()
    const steps = await import('./with-a-turn.ts')
    const { openBundle, outputDirectory, select, takeCore, refuseCore, tellStory, handOver } = steps

    // ask the runtime, but wait only for what the selector or the file name needs
    const early = await question.asFarAsNeeded()
    const directory = outputDirectory(task)
    const selection = rate.take === 'core' ? select(crash, early, directory, task) : rate
    if (selection.take === 'nothing') return leaveAlone(selection.reason, task)

    // drain: the process is held until this is done
    const bundle = await openBundle(directory, crash, await randomUuid(), early?.identity, task)
    const taking =
      selection.take === 'core'
        ? takeCore(bundle, task)
        : refuseCore(selection.code ?? 'CORE_REFUSED', selection.reason, task)
    const turn = taking.then(() => gate.toTell())
    question.startSoon(turn)
    const taken = await taking

    // tell the story: nobody is held any more
    if (task.byKernel && gate.isAlone) yieldToOthers()
    await turn
    const found = await question.result()
    const story = { crash, snapshot, found, question, core: taken.core }
    await tellStory(bundle, story, task)

    // hand over
    const path = await handOver(bundle, crash, found, task)
    return { exitCode: exitCodeOf(crash, taken, found, task), path }
  } finally {
    // where a step has failed: nobody is held for what is to be ended yet
    task.source.release()
    await question.close()
    await gate.leave()
  }
}

function leaveAlone(reason: string, { source, log }: Task): Outcome {
  source.release()
  log.write('info', `Left alone: ${reason}`)
  return { exitCode: 0 }
}
