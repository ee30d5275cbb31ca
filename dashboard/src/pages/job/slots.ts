/** Slots that a job needs: of each slot sharing group the greatest parallelism. */
export function slotsNeeded(vertices: readonly { slotSharingGroupId: string; parallelism: number }[]): number {
  const groups = new Map<string, number>();
  for (const { slotSharingGroupId: group, parallelism } of vertices) groups.set(group, Math.max(groups.get(group) ?? 0, parallelism));
  return [...groups.values()].reduce((sum, slots) => sum + slots, 0);
}
