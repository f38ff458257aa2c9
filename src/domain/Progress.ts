/** How far a pass has come. */
export interface Progress {
  /** Games that this pass may attempt; `undefined` if they could not be counted. */
  readonly due: number | undefined
  readonly done: number
  /** Since the pass began. */
  readonly seconds: number
}

/** Games a second, over the whole pass. */
export const rate = ({ done, seconds }: Progress): number => (seconds > 0 ? done / seconds : 0)

/** Rounded up; `undefined` if it cannot be estimated yet. */
export const secondsLeft = (progress: Progress): number | undefined =>
  progress.due === undefined || rate(progress) === 0
    ? undefined
    : Math.ceil(Math.max(0, progress.due - progress.done) / rate(progress))
