/**
 * Seeds of histories that once went wrong, by what went wrong. A seed stands for its history only as long as the
 * simulation draws the same things in the same order, so whoever changes the draws looks for the histories anew.
 */
export const regressions: Readonly<Record<string, number>> = {}
