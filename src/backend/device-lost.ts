/** Thrown by a backend whose device is gone: the values of its variables are lost with it. */
export class DeviceLost extends Error {}
