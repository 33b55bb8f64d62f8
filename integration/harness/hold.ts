/** Enter what lasts as long as a task, and stay in it; resolves with what leaves it. */
export async function hold(
  enter: (task: () => Promise<void>) => Promise<void>,
): Promise<() => Promise<void>> {
  const entered = Promise.withResolvers<void>()
  const over = Promise.withResolvers<void>()
  const left = enter(async () => {
    entered.resolve()
    await over.promise
  })
  await Promise.race([entered.promise, left])
  return async () => {
    over.resolve()
    await left
  }
}
