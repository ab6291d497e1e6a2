# frozen_string_literal: true

require "set"
require_relative "ring/reader"
autoload :Walker, "ring/walker"

# Holds rings.
module Rings
  SIZE = 16
  Pair = Struct.new(:a, :b) do
    def swap = Pair.new(b, a)
  end

  # A ring of entries.
  #
  # It is full at SIZE.
  class Ring < Base
    include Enumerable
    attr_reader :size, :name
    attr_accessor :limit
    @@count = 0

    # Makes one.
    def initialize(size = SIZE, *rest, name: "ring", **options, &block)
      @size = size
      local = rest.map { |x| x + 1 }
    end

    def self.shared
      @shared ||= new(3)
    end

    class << self
      def build(*all) = new(all.size)
    end

    def push(entry)
      case entry
      when nil then raise ArgumentError
      else slots << entry
      end
    end
    alias << push
    alias_method :add, :push

    def full?; size == SIZE; end
    def [](index); @slots[index]; end
    def size=(value); end
    def empty
    end

    define_method(:clear) { @slots = [] }

    private

    def secret(a, b:) a end

    class Error < StandardError; end
  end

  class Other::Nested
    def deep; end
  end
end

class Rings::Ring
  def reopened(x) = x.size
end

$verbose = false
shared = Rings::Ring.shared

describe Rings::Ring do
  let(:ring) { described_class.new }
  it "keeps what was pushed" do
    expect(ring.push(1)).to eq([1])
  end
  context "when full" do
    it("raises") { ring.push(2) }
  end
end

class RingTest < Minitest::Test
  def setup; end
  def test_pushes
    assert_equal 1, shared.size
  end
  test "counts" do
  end
end

namespace :db do
  desc "Fills it"
  task :fill do
    shared.fill
  end
end
