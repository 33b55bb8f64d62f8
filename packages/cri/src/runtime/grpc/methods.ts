import type { Method } from './channel.ts'
import {
  ContainerStatusRequest,
  ContainerStatusResponse,
  ImageStatusRequest,
  ImageStatusResponse,
  ListContainersRequest,
  ListContainersResponse,
  ListPodSandboxRequest,
  ListPodSandboxResponse,
  PodSandboxStatusRequest,
  PodSandboxStatusResponse,
} from './gen/runtime.ts'

type Of<Request, Response> = Method<Request, Response>

export const containerStatus: Of<ContainerStatusRequest, ContainerStatusResponse> = method(
  'RuntimeService/ContainerStatus',
  ContainerStatusRequest,
  ContainerStatusResponse,
)
export const podSandboxStatus: Of<PodSandboxStatusRequest, PodSandboxStatusResponse> = method(
  'RuntimeService/PodSandboxStatus',
  PodSandboxStatusRequest,
  PodSandboxStatusResponse,
)
export const listContainers: Of<ListContainersRequest, ListContainersResponse> = method(
  'RuntimeService/ListContainers',
  ListContainersRequest,
  ListContainersResponse,
)
export const listPodSandbox: Of<ListPodSandboxRequest, ListPodSandboxResponse> = method(
  'RuntimeService/ListPodSandbox',
  ListPodSandboxRequest,
  ListPodSandboxResponse,
)
export const imageStatus: Of<ImageStatusRequest, ImageStatusResponse> = method(
  'ImageService/ImageStatus',
  ImageStatusRequest,
  ImageStatusResponse,
)

function method<Request, Response>(
  name: string,
  request: { encode(message: Request): { finish(): Uint8Array } },
  response: { decode(bytes: Uint8Array): Response },
): Method<Request, Response> {
  return {
    path: `/runtime.v1.${name}`,
    encode: (message) => request.encode(message).finish(),
    decode: (bytes) => response.decode(bytes),
  }
}
