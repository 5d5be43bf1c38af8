@export()
@description('Share of a GPU node that one worker gets, and the type of the weights that its GPU computes with.')
type workerSize = { cpu: int, memory: string, precision: 'bfloat16' | 'float16' }
