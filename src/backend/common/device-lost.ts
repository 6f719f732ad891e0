/**
 * Thrown by a backend whose device is gone, such as a GPU whose driver was reset. The values of its variables are gone
 * with it; a fresh backend can start from a checkpoint.
 */
export class DeviceLost extends Error {}
